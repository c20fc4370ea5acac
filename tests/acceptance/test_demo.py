"""The demo: a school, a day's e-mails, and a page that lists them."""

import re
from datetime import UTC, date, datetime, timedelta
from io import StringIO

import pytest
from django.contrib.sites.models import Site
from django.core.management import call_command
from django.utils import timezone

from demo import school
from demo.settings import is_not_about_unused_channels
from schedules.contrib.lms.models import Course, CourseEnrollment
from schedules.models import Schedule, ScheduledMessage
from schedules.reporting import ReportScope
from schedules.reporting.comparison import compare

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


LEARNERS = 90


def run():
    out = StringIO()
    call_command("run_demo", learners=LEARNERS, stdout=out)
    return out.getvalue()


def test_the_demo_sends_every_message_once_and_lists_it(mailbox, caplog):
    said = run()
    rows = dict(re.findall(r"^(\w+) +\d+ +0 +(\d+) .*$", said.split("All messages")[1], re.MULTILINE))
    assert set(rows) == {"courseupdate", "recurringnudge_day3", "recurringnudge_day10", "upgradereminder"}
    assert all(int(sent) > 0 for sent in rows.values())
    sent = ScheduledMessage.objects.filter(status="sent")
    assert len(list(mailbox.glob("20*.html"))) == sent.count() == sum(map(int, rows.values()))
    assert set(sent.filter(name="courseupdate").values_list("day_offset", flat=True)) == {-7 * n for n in range(1, 12)}
    assert set(ScheduledMessage.objects.values_list("status", flat=True)) == {"sent", "skipped"}
    assert not ScheduledMessage.objects.filter(user__username__startswith="experiment").exists()
    index = (mailbox / "index.html").read_text()
    assert index.count("<a href=") == sent.count()
    assert f"open {mailbox / 'index.html'}" in said
    assert [record.getMessage() for record in caplog.records if is_not_about_unused_channels(record)] == []

    again = run()
    assert f"Nothing was sent twice: {sent.count()} messages had been sent before." in again
    assert len(list(mailbox.glob("20*.html"))) == sent.count()


def test_the_school_is_believable():
    school.fill(datetime.now(UTC).date(), LEARNERS)
    assert Course.objects.filter(self_paced=True).count() >= 12
    assert Course.objects.filter(self_paced=False).exists()
    assert len({course.org for course in Course.objects.all()}) >= 5
    assert CourseEnrollment.objects.filter(is_active=False).exists()
    assert CourseEnrollment.objects.filter(mode="verified").exists()
    assert Schedule.objects.filter(course_id__contains="LAST").exists()
    assert not CourseEnrollment.objects.filter(last_active_at=None).exists()


@pytest.mark.parametrize("days", [30, 90])
def test_the_school_has_an_experiment_to_look_at(days):
    now = timezone.now()
    school.fill(now.date(), LEARNERS)
    site = Site.objects.get(domain=school.SITE_DOMAIN)
    scope = ReportScope(site=site, first_day=now.date() - timedelta(days=days), last_day=now.date())
    found = compare(scope, now)
    assert found.notes == ()
    interpretations = {effect.key: effect.interpretation for effect in found.effects}
    assert " more came back than " in interpretations["came_back"]
    assert "do not show a difference" in interpretations["upgraded"]
    assert "Too little data" in interpretations["completed"]


def test_a_school_is_filled_where_the_settings_name_more_message_types(settings):
    settings.SCHEDULES = {
        **settings.SCHEDULES,
        "MESSAGE_TYPES": ["schedules.message_types.course_update.CourseUpdate", "tests.hosts.campus.messages.Welcome"],
    }
    school.fill(date(2026, 3, 9), LEARNERS)
    assert school.is_filled()
