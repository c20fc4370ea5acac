"""How long a report takes: python -m benchmarks.reports [--rows 1000000]

Fills the PostgreSQL database that DATABASE_URL names, which must be empty, with a ledger of 90 days: so many rows of
one site, and a tenth of that of each of two others; five messages, believable outcomes, long reasons. Then prints the
seconds of each report, the best and the worst of three, and beside it those of the same numbers asked for one by one.

    createdb -h 127.0.0.1 -U postgres schedules_bench
    DATABASE_URL=postgresql://postgres@127.0.0.1/schedules_bench python -m benchmarks.reports
    dropdb -h 127.0.0.1 -U postgres schedules_bench
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import django

LAST_DAY = date(2026, 3, 9)
DAYS, COURSES = 90, 300
REPEATS = 3

MESSAGES = [
    ("recurringnudge_day3", "recurring_nudge", -3),
    ("recurringnudge_day10", "recurring_nudge", -10),
    ("recurringnudge_day19", "recurring_nudge", -19),
    ("upgradereminder", "upgrade_reminder", 2),
    ("courseupdate", "course_update", -7),
]

LEARNERS = """
    INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, is_active,
                           date_joined)
    SELECT '!', false, 'learner' || n, '', '', 'learner' || n || '@learners.example.com', false, true, now()
    FROM generate_series(1, %(learners)s) AS n
"""

# A run of each of the site's messages on each day, numbered from 0.
RUNS = """
    CREATE TEMPORARY TABLE bench_run AS
    SELECT row_number() OVER () - 1 AS number, gen_random_uuid() AS uuid, message.name, message.message_type,
           message.day_offset, day::date AS day
    FROM generate_series(%(last_day)s::date - %(days)s + 1, %(last_day)s::date, interval '1 day') AS day,
         (VALUES {messages}) AS message (name, message_type, day_offset);
    INSERT INTO schedules_sendrun
        (uuid, site_id, message_type, date, day_offset, origin, started_at, finished_at, counts)
    SELECT uuid, %(site)s, message_type, day, day_offset, 'daily', day, day + interval '1 hour', '{{}}' FROM bench_run
"""

# Of a hundred messages 86 are sent, 10 skipped and 3 failed; one waits. Of those sent 40 % are opened.
ROWS = """
    INSERT INTO schedules_scheduledmessage (uuid, run_id, site_id, user_id, name, target_date, day_offset, status,
        reason, detail, attempts, unknown_faults, channel, language, course_ids, created, sent_at, opened_at,
        clicked_at, opted_out_at)
    SELECT gen_random_uuid(), uuid, %(site)s, user_id, name, day + day_offset, day_offset, status,
           CASE status
               WHEN 'skipped' THEN (ARRAY['opted-out', 'no-longer-due', 'no-highlights', 'no-address'])[1 + n %% 4]
               WHEN 'failed' THEN (ARRAY['channel-refused', 'host-error'])[1 + n %% 2]
               ELSE '' END,
           CASE status
               WHEN 'failed' THEN jsonb_build_object('answer', '550 5.1.1 message ' || n || ' was not taken, for '
                   || repeat('the mailbox is not there; ', 6))
               ELSE '{}'::jsonb END,
           1, 0, 'schedules_email', 'en',
           CASE WHEN n %% 5 = 0 THEN jsonb_build_array(course, course || 'B') ELSE jsonb_build_array(course) END,
           day, CASE status WHEN 'sent' THEN day END,
           CASE WHEN status = 'sent' AND chance < 0.40 THEN day + interval '3 hours' END,
           CASE WHEN status = 'sent' AND chance < 0.09 THEN day + interval '4 hours' END,
           CASE WHEN status = 'sent' AND chance < 0.005 THEN day + interval '5 hours' END
    FROM (
        SELECT n, bench_run.*, random() AS chance, %(first_learner)s + (random() * %(learners)s - 0.5)::int AS user_id,
               'course-v1:MeadowX+C' || floor(%(courses)s * random() ^ 2) || '+2026' AS course,
               (ARRAY['claimed', 'failed', 'failed', 'failed', 'skipped', 'skipped', 'skipped', 'skipped', 'skipped',
                      'skipped', 'skipped', 'skipped', 'skipped', 'skipped'])[1 + floor(100 * random())::int] AS other
        FROM generate_series(1, %(rows)s) AS n JOIN bench_run ON bench_run.number = n %% %(runs)s
    ) AS drawn, LATERAL (SELECT coalesce(other, 'sent') AS status) AS chosen
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the site that is reported on")
    parser.add_argument("--json", action="store_true", help="print the same for programs")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "demo.settings")
    django.setup()
    site, filled = timed(lambda: fill(options.rows))
    results = [measure(name, scope) for name, scope in scopes(site)]
    if options.json:
        json.dump(results, sys.stdout)
        return
    print(f"{options.rows:,} rows of one site, filled in {filled:.0f} s")
    for result in results:
        print(line(result))


def fill(rows: int) -> Any:
    """Returns the site with the most rows. Ends the program where the database is not for this."""
    from django.contrib.sites.models import Site
    from django.core.management import call_command
    from django.db import connection

    if connection.vendor != "postgresql":
        sys.exit("DATABASE_URL names no PostgreSQL database.")
    call_command("migrate", verbosity=0)
    from schedules.models import ScheduledMessage

    if ScheduledMessage.objects.exists():
        sys.exit("The ledger of that database is not empty; name a new one.")
    learners = max(1, rows // 8)
    sites = [Site.objects.get_or_create(domain=f"site{number}.example.com")[0] for number in range(3)]
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # foreign keys are right, and need no looking up
        cursor.execute(LEARNERS, {"learners": learners})
        cursor.execute("SELECT min(id) FROM auth_user WHERE username LIKE 'learner%'")
        (first_learner,) = cursor.fetchone()
        cursor.execute("SELECT setseed(0.5)")
        for site, share in zip(sites, (1, 10, 10), strict=True):
            values = {"site": site.pk, "last_day": LAST_DAY, "days": DAYS, "courses": COURSES}
            messages = ", ".join(f"('{name}', '{message_type}', {offset})" for name, message_type, offset in MESSAGES)
            for statement in RUNS.format(messages=messages).split(";"):
                cursor.execute(statement, values)
            numbers = {"rows": rows // share, "runs": DAYS * len(MESSAGES), "learners": learners}
            cursor.execute(ROWS, {**values, **numbers, "first_learner": first_learner})
            cursor.execute("DROP TABLE bench_run")
        cursor.execute("SET session_replication_role = DEFAULT")
        cursor.execute("ANALYZE")
    return sites[0]


def scopes(site: Any) -> Iterator[tuple[str, Any]]:
    """What is reported on, by the name under which it is printed."""
    from schedules.reporting import ReportScope

    def scope(days: int, **narrowed: str) -> ReportScope:
        return ReportScope(site=site, first_day=LAST_DAY - timedelta(days=days - 1), last_day=LAST_DAY, **narrowed)

    yield "30 days", scope(30)
    yield "90 days", scope(DAYS)
    yield "90 days, one message", scope(DAYS, message_name="courseupdate")
    yield "90 days, one course", scope(DAYS, course_id="course-v1:MeadowX+C0+2026")


def measure(name: str, scope: Any) -> dict[str, Any]:
    from schedules.reporting.counts import count

    takings = [timed(lambda: count(scope)) for _ in range(REPEATS)]
    report = takings[0][0]
    seconds = [taken for _, taken in takings]
    total, baseline = timed(lambda: one_by_one(report))
    assert total == report.total.messages, "the baseline counts something else"
    return {"report": name, "found": total, "best": min(seconds), "worst": max(seconds), "baseline": baseline}


def one_by_one(report: Any) -> int:
    """The numbers of a report, each by a query of its own; returns how many messages there are."""
    from schedules.models import ScheduledMessage
    from schedules.reporting.counts import messages_in

    rows = messages_in(report.scope)
    kinds = [{"status": status} for status in ScheduledMessage.Status.values]
    kinds += [{"status": "sent", f"{done}__isnull": False} for done in ("opened_at", "clicked_at", "opted_out_at")]
    for row in report.days:
        for condition in kinds:
            rows.filter(run__date=row.day, **condition).count()
    for count in report.reasons:
        rows.filter(status=count.outcome, reason__startswith=count.reason).count()
    rows.filter(status="sent").values("user").distinct().count()
    return sum(rows.filter(name=row.message, **condition).count() for row in report.messages for condition in kinds[:5])


def timed(act: Callable[[], Any]) -> tuple[Any, float]:
    begun = time.perf_counter()
    return act(), time.perf_counter() - begun


def line(result: dict[str, Any]) -> str:
    text = f"{result['report']:22}  {result['found']:>9,} messages  {result['best']:.2f} to {result['worst']:.2f} s"
    return f"{text}; one by one {result['baseline']:.1f} s, {result['baseline'] / result['worst']:.0f} times as long"


if __name__ == "__main__":
    main()
