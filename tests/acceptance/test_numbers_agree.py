"""One day, told alike by the mail server, the ledger, Segment, the report, its files and the command."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from email.message import EmailMessage
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from django.core.management import call_command

from schedules.contrib.lms.models import CourseEmailOptout
from schedules.models import OptOut, ScheduledMessage, SendRun
from schedules.reporting import ReportScope
from schedules.reporting.counts import count
from tests.emails import Page
from tests.mail_server import mail_server, wait_until
from tests.visits import visit
from tests.world import TODAY, enroll, make_course, make_learner, open_site

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

SENT, OPENED, CLICKED, LEFT = 14, 6, 4, 2


class Letter:
    """A message as it arrived, with what its reader can do."""

    def __init__(self, mail: EmailMessage, server: str) -> None:
        self.uuid = UUID(mail["Message-ID"].strip("<>").partition("@")[0])
        self.leave_url = re.search(r"<(https://[^>]+)>", mail["List-Unsubscribe"])[1]
        self.page = Page(mail.get_body(("html",)).get_content())
        self.server = server

    def open(self) -> None:
        (pixel,) = [image["src"] for image in self.page.images if "/open/" in image["src"]]
        assert self._fetch(pixel) == 200

    def click(self) -> None:
        link = next(link for link in self.page.links if "/click/" in link)
        assert self._fetch(link) == 302

    def leave(self) -> None:
        assert self._fetch(self.leave_url, {"List-Unsubscribe": "One-Click"}) == 200

    def _fetch(self, url: str, form: dict[str, str] | None = None) -> int:
        parts = urlsplit(url)
        assert parts.hostname == "example.com"
        return visit(f"{self.server}{parts.path}?{parts.query}", form)


@pytest.fixture
def letters(settings, smtp_server, segment_server, live_server):
    """The day's letters: 17 learners are due, one has no address, one opted out, one is refused by the mail server."""
    settings.ACE_ENABLED_CHANNELS = ["schedules_email"]
    settings.ACE_CHANNEL_DEFAULT_EMAIL = "schedules_email"
    settings.SCHEDULES = {**settings.SCHEDULES, "TRACK_OPENS": True}
    open_site()
    garden, bees = make_course("A Garden in a Year"), make_course("Bees")
    learners = [make_learner(f"learner{number}", pk=1000 + number) for number in range(SENT + 1)]
    for number, learner in enumerate(learners):
        enroll(learner, garden, days_ago=3 if number % 2 else 10)
    enroll(learners[1], bees, days_ago=3)
    enroll(make_learner("dan", email=""), garden)
    bob = make_learner("bob")
    CourseEmailOptout.objects.create(user=bob, course=garden)
    enroll(bob, garden)
    with mail_server() as server:
        smtp_server(server.port)
        server.answers["RCPT"] = ["550 no such mailbox"]
        for _ in range(2):  # the second time nothing is left to do, but for what was refused
            call_command("send_recurring_nudge", "example.com", date=TODAY.isoformat(), verbosity=0)
            server.answers["RCPT"] = ["550 no such mailbox"]
    return [Letter(mail, live_server.url) for mail in server.received]


def test_numbers_agree(letters, segment_server, admin_client):
    for letter in letters[:OPENED]:
        letter.open()
        letter.open()
    for letter in letters[2 : 2 + CLICKED]:
        letter.click()
    for letter in letters[:LEFT]:
        letter.leave()
    rows = ScheduledMessage.objects.filter(status="sent")
    wait_until(lambda: rows.exclude(clicked_at=None).count() == CLICKED)
    wait_until(lambda: rows.exclude(opened_at=None).count() == OPENED)

    # Mail server, ledger and Segment know the same messages.
    arrived = {letter.uuid for letter in letters}
    assert len(letters) == len(arrived) == SENT
    assert set(rows.values_list("pk", flat=True)) == arrived
    assert {UUID(event["properties"]["uuid"]) for event in segment_server.events} == arrived
    assert len(segment_server.events) == SENT

    # What was done with each is in its own row, and nowhere else.
    did = {
        "opened_at": {letter.uuid for letter in letters[:OPENED]},
        "clicked_at": {letter.uuid for letter in letters[2 : 2 + CLICKED]},
        "opted_out_at": {letter.uuid for letter in letters[:LEFT]},
    }
    for column, uuids in did.items():
        assert set(rows.exclude(**{column: None}).values_list("pk", flat=True)) == uuids
    assert OptOut.objects.count() == LEFT

    # The report counts them,
    site = rows[0].site
    report = count(ReportScope(site=site, first_day=TODAY, last_day=TODAY))
    total = report.total
    assert (total.sent, total.opened, total.clicked, total.opted_out) == (SENT, OPENED, CLICKED, LEFT)
    assert (total.skipped.total(), total.failed.total(), total.pending) == (2, 1, 0)
    assert {one.reason: one.count for one in report.reasons} == {"no-address": 1, "opted-out": 1, "channel-refused": 1}
    assert report.learners_reached == len(set(rows.values_list("user_id", flat=True))) == SENT

    # by message as Segment does,
    by_name = Counter(event["properties"]["name"] for event in segment_server.events)
    assert {one.message: one.counts.sent for one in report.messages} == dict(by_name)
    assert len(by_name) == 2

    # by course as Segment does,
    for course_id in {one for event in segment_server.events for one in event["properties"]["course_ids"]}:
        about = [event for event in segment_server.events if course_id in event["properties"]["course_ids"]]
        scope = ReportScope(site=site, first_day=TODAY, last_day=TODAY, course_id=course_id)
        assert count(scope).total.sent == len(about)

    # and as the runs do, the newest of which found nothing new but what was refused again.
    runs = SendRun.objects.filter(finished_at__isnull=False)
    assert sum(run.counts["sent"] for run in runs) == SENT
    assert sum(one.sent for one in (day.counts for day in report.days)) == SENT


def test_page_files_and_command_say_what_the_report_says(letters, admin_client, capsys):
    letters[0].open()
    letters[0].click()
    wait_until(lambda: ScheduledMessage.objects.exclude(clicked_at=None).exists())
    site = ScheduledMessage.objects.first().site
    report = count(ReportScope(site=site, first_day=TODAY, last_day=TODAY))
    total = {
        name: report.total.number(name) for name in ("sent", "opened", "clicked", "opted_out", "skipped", "failed")
    }
    assert total == {"sent": SENT, "opened": 1, "clicked": 1, "opted_out": 0, "skipped": 2, "failed": 1}

    call_command("schedules_report", "example.com", "--from", str(TODAY), "--to", str(TODAY), "--json")
    said = json.loads(capsys.readouterr().out)
    assert total.items() <= said["total"].items()

    query = {"site": site.pk, "first_day": str(TODAY), "last_day": str(TODAY)}
    page = admin_client.get("/admin/schedules/report/", query)
    assert page.status_code == 200
    assert page.context["report"] == report
    as_json = admin_client.get("/admin/schedules/report/", {**query, "format": "json", "table": "messages"}).json()
    assert as_json["total"] == said["total"]
    as_csv = admin_client.get("/admin/schedules/report/", {**query, "format": "csv", "table": "messages"})
    rows = list(csv.DictReader(io.StringIO(as_csv.content.decode())))
    assert {name: sum(int(row[name]) for row in rows) for name in total} == total
