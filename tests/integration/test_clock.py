"""What a message says is so when it leaves: a day that is done late is judged by the clock, unless it was asked for."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.sites.models import Site
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.formats import date_format

from schedules import api, ledger
from schedules.contrib.lms.models import Course, CourseMode
from schedules.daily import run_day
from schedules.finding.facts import Moment
from schedules.message_types.deciding import decide as decided
from schedules.models import CustomText, Schedule, ScheduledMessage, SendRun
from schedules.sending import delivering
from schedules.values.days import start_of_day
from schedules.values.runs import BINS, RunOrigin
from tests.emails import html_of, without_isolates, words_of
from tests.world import (
    TODAY,
    enable_deadlines,
    enroll,
    make_course,
    make_learner,
    open_site,
    perform,
    resolver,
    schedule_of,
    started,
    why,
)

pytestmark = pytest.mark.django_db

REMINDER, NUDGE = ("upgrade_reminder", 2), ("recurring_nudge", -3)
MORNING = started(0, 6)


@pytest.fixture
def site():
    enable_deadlines()
    return open_site()


def due_to_upgrade(name="alice", *courses, deadline):
    """A learner whose deadline in each of these courses is that instant."""
    learner = make_learner(name)
    for course in courses or [make_course(price=49)]:
        enroll(learner, course)
    Schedule.objects.filter(user=learner).update(upgrade_deadline=deadline)
    return learner


def due_until(end):
    """A learner who is due in a course that ends at that instant."""
    enroll(make_learner(), make_course())
    Course.objects.update(end=end)


def decide(one, now):
    return [
        d for number in range(BINS) for page in one.batches(number) for d in decided(one, page, now, Moment.FINDING)
    ]


def claim(one, now):
    ledger.open_run(one.run, now)
    return [str(uuid) for uuid in ledger.claim(one.run, [d.entry for d in decide(one, now)], now)]


def reasons():
    return {(row.status, why(row)) for row in ScheduledMessage.objects.all()}


# Deciding -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("minutes", [-1, 0, 1])
@pytest.mark.parametrize("ends", ["deadline", "verified mode", "course"])
def test_a_reminder_names_no_upgrade_that_is_over_by_the_clock(site, ends, minutes):
    garden = make_course(price=49)
    deadline = started(-2)
    alice = due_to_upgrade("alice", garden, deadline=deadline)
    end = deadline - timedelta(hours=1)
    if ends == "deadline":
        Schedule.objects.filter(user=alice).update(upgrade_deadline=end)
    elif ends == "course":
        Course.objects.update(end=end)
    else:
        CourseMode.objects.update(expiration_datetime=end)
    decisions = decide(resolver(site, *REMINDER), end + timedelta(minutes=minutes))
    is_over = minutes > 0
    if ends == "course":
        assert len(decisions) == (not is_over)
    else:
        (decision,) = decisions
        assert (decision.outcome.reason if decision.outcome else "") == ("nothing-to-upgrade" if is_over else "")
    (asked,) = decide(resolver(site, *REMINDER, origin=RunOrigin.DATE), end + timedelta(minutes=minutes))
    assert asked.outcome is None


def test_a_reminder_of_several_courses_keeps_those_that_are_not_over(site):
    garden, water = make_course("Garden", price=49), make_course("Water", price=49)
    alice = due_to_upgrade("alice", garden, water, deadline=started(-2))
    Schedule.objects.filter(user=alice, course_id=str(garden.pk)).update(upgrade_deadline=started(-2, 8))
    (decision,) = decide(resolver(site, *REMINDER), started(-2, 9))
    assert [due.course.name for due in decision.courses] == ["Water"]


@pytest.mark.parametrize(
    ("origin", "is_shown"), [(RunOrigin.DAILY, False), (RunOrigin.SINCE, False), (RunOrigin.DATE, True)]
)
def test_a_nudge_shows_no_upsell_that_is_over_by_the_clock(site, origin, is_shown):
    due_to_upgrade(deadline=MORNING - timedelta(minutes=1))
    (decision,) = decide(resolver(site, *NUDGE, origin=origin), MORNING)
    assert decision.courses[0].can_upgrade == is_shown


def test_a_course_that_ended_this_morning_is_over(site):
    due_until(MORNING)
    assert decide(resolver(site, *NUDGE), MORNING)
    assert not decide(resolver(site, *NUDGE), MORNING + timedelta(minutes=1))


def test_a_clock_that_is_behind_the_day_changes_nothing(site):
    due_to_upgrade(deadline=started(0, 0) - timedelta(seconds=1))
    (decision,) = decide(resolver(site, *NUDGE), started(5))
    assert not decision.courses[0].can_upgrade


# Delivering ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "status"),
    [(RunOrigin.DAILY, "skipped"), (RunOrigin.SINCE, "skipped"), (RunOrigin.DATE, "sent")],
)
def test_a_message_that_waited_past_its_deadline_is_not_sent(site, email_channel, origin, status):
    due_to_upgrade(deadline=started(-2))
    one = resolver(site, *REMINDER, origin=origin)
    ids = claim(one, MORNING)
    delivering.deliver_batch(one.run, ids, started(-2) + timedelta(minutes=1))
    assert reasons() == {(status, "" if status == "sent" else "nothing-to-upgrade")}
    assert len(email_channel) == (status == "sent")


def test_a_nudge_that_waited_loses_the_upsell_that_is_over(site, email_channel):
    due_to_upgrade(deadline=started(-1))
    one = resolver(site, *NUDGE)
    ids = claim(one, MORNING)
    delivering.deliver_batch(one.run, ids, started(-1) + timedelta(minutes=1))
    (mail,) = email_channel
    assert "certificate" not in mail.body


def test_a_course_that_ended_while_its_message_waited_is_no_longer_due(site, email_channel):
    due_until(started(-1))
    one = resolver(site, *NUDGE)
    ids = claim(one, MORNING)
    delivering.deliver_batch(one.run, ids, started(-1) + timedelta(minutes=1))
    assert reasons() == {("skipped", "no-longer-due")}


# Commands, tasks and what recovers them -----------------------------------------------------------


@pytest.fixture
def late(site):
    """Cron was down since four days ago, and yesterday was Alice's deadline. Returns the day that it was missed on."""
    today = timezone.now().date()
    last_run_day = today - timedelta(days=4)
    SendRun.objects.create(
        site=site,
        message_type="upgrade_reminder",
        date=last_run_day,
        day_offset=2,
        started_at=datetime.combine(last_run_day, datetime.min.time(), tzinfo=UTC),
        finished_at=timezone.now(),
    )
    due_to_upgrade(deadline=datetime.combine(today, datetime.min.time(), tzinfo=UTC) - timedelta(hours=1))
    return today - timedelta(days=3)


def by_cron(day):
    call_command("send_upgrade_reminder", "example.com", verbosity=0)


def by_celery_beat(day):
    run_day("upgrade_reminder", "example.com")


def since_that_day(day):
    call_command("send_upgrade_reminder", "example.com", since=str(day), verbosity=0)


@pytest.mark.parametrize("run", [by_cron, by_celery_beat, since_that_day])
def test_a_missed_day_is_not_told_of_a_deadline_that_passed_since(late, email_channel, run):
    run(late)
    assert SendRun.objects.filter(date=late, finished_at__isnull=False).exists()
    assert reasons() == {("skipped", "nothing-to-upgrade")}
    assert email_channel == []


def test_a_day_that_was_asked_for_is_the_clock_of_its_run(late, email_channel):
    call_command("send_upgrade_reminder", "example.com", date=str(late), verbosity=0)
    assert reasons() == {("sent", "")}


def test_a_test_message_of_today_is_judged_by_the_clock_too(site, email_channel):
    now = timezone.now()
    alice = due_to_upgrade(deadline=now - timedelta(seconds=1))
    Schedule.objects.filter(user=alice).update(start_date=now - timedelta(days=3))
    call_command("send_recurring_nudge", "example.com", verbosity=0, override_recipient_email="me@example.org")
    (mail,) = email_channel
    assert "certificate" not in mail.body


@pytest.mark.all_bins
def test_workers_and_who_takes_over_from_them_know_where_the_day_came_from(late, email_channel, broker):
    call_command("send_upgrade_reminder", "example.com", date=str(late), verbosity=0)
    bins = broker()
    assert {arguments["origin"] for _, arguments in bins} == {"date"}
    SendRun.objects.update(leased_until=timezone.now() - timedelta(minutes=1))
    api.recover()  # the broker lost the bins
    recovered = broker()
    assert len(recovered) == BINS
    perform(json.loads(json.dumps(recovered)))
    broker()  # and the batch
    ScheduledMessage.objects.update(leased_until=timezone.now() - timedelta(minutes=1))
    api.recover()
    perform(broker())
    assert reasons() == {("sent", "")}


def test_a_task_that_was_queued_before_this_was_known_is_judged_by_the_clock(late, email_channel, broker):
    call_command("send_upgrade_reminder", "example.com", date=str(late), verbosity=0)
    old = [(name, {key: one for key, one in arguments.items() if key != "origin"}) for name, arguments in broker()]
    perform(old)
    assert reasons() == {("skipped", "nothing-to-upgrade")}


# The day that is named ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "expires_at", "day"),
    [
        ("UTC", datetime(2026, 3, 11, tzinfo=UTC), "March 10, 2026"),
        ("UTC", datetime(2026, 3, 11, 0, 0, 1, tzinfo=UTC), "March 11, 2026"),
        ("UTC", datetime(2026, 3, 11, 23, 59, 59, tzinfo=UTC), "March 11, 2026"),
        ("Europe/Berlin", datetime(2026, 3, 10, 23, tzinfo=UTC), "March 10, 2026"),
        ("America/New_York", datetime(2026, 3, 11, tzinfo=UTC), "March 10, 2026"),
    ],
)
@pytest.mark.usefixtures("site")
def test_a_midnight_is_named_as_the_end_of_the_day_before(email_channel, settings, zone, expires_at, day):
    settings.SCHEDULES = {**settings.SCHEDULES, "TIME_ZONE": zone}
    garden, water = make_course("Garden", price=49), make_course("Water", price=49)
    due_to_upgrade("alice", garden, deadline=expires_at)
    due_to_upgrade("bob", garden, water, deadline=expires_at)
    target = start_of_day(TODAY + timedelta(days=2), api.conf.time_zone)
    today = TODAY if expires_at >= target else TODAY - timedelta(days=1)
    CustomText.objects.create(
        site=Site.objects.get(),
        enabled=True,
        message_name="upgradereminder",
        subject="{name}, {course} ends on {deadline}",
    )
    call_command("send_upgrade_reminder", "example.com", date=str(today), verbosity=0)
    alices, bobs = sorted(email_channel, key=lambda mail: mail.to)
    assert without_isolates(alices.subject) == f"Alice, Garden ends on {day}"
    for text in (without_isolates(alices.body), words_of(html_of(alices))):
        assert f"upgrade by {day}" in text
    for text in (without_isolates(bobs.body), words_of(html_of(bobs))):
        assert text.count(f"Upgrade by {day}") == 2


def test_an_upsell_and_the_page_of_the_lms_name_the_same_day(client, site, email_channel):
    midnight = start_of_day(timezone.now().date() + timedelta(days=9), api.conf.time_zone)
    garden = make_course(price=49)
    CourseMode.objects.update(expiration_datetime=midnight)
    alice = make_learner()
    enroll(alice, garden, created=timezone.now() - timedelta(days=3))
    assert schedule_of(alice, garden).upgrade_deadline == midnight
    call_command("send_recurring_nudge", "example.com", verbosity=0)
    (mail,) = email_channel
    with translation.override("en"):
        said = date_format(timezone.now().date() + timedelta(days=8))
    assert f"You can upgrade until {said}." in without_isolates(mail.body)
    client.force_login(alice)
    page = client.get(reverse("schedules_lms:upgrade", args=[garden.pk]))
    assert f"It is offered until {said}." in page.content.decode()
