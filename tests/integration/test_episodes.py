"""From enrolling to enrolling again is an episode: dates are computed from its beginning, and things are said once."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.core.management import call_command
from django.utils import timezone

from schedules import api
from schedules.contrib.lms.models import CourseEmailOptout
from schedules.ledger.episodes import EarlierMessage
from schedules.models import HoldBack, Schedule, ScheduledMessage
from tests.world import (
    TODAY,
    enable_deadlines,
    enroll,
    make_course,
    make_learner,
    open_site,
    perform,
    schedule_of,
    started,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def site(email_channel):
    return open_site()


def send(command="recurring_nudge", *, days=0, **options):
    """Run the day that is so many days after `TODAY`."""
    date = (TODAY + timedelta(days=days)).isoformat()
    call_command(f"send_{command}", "example.com", date=date, verbosity=0, **options)


def move(course, **fields):
    for name, value in fields.items():
        setattr(course, name, value)
    course.save()


def outcomes(**filters):
    rows = ScheduledMessage.objects.filter(**filters).order_by("target_date", "day_offset")
    return [row.reason or row.status for row in rows]


# The dates --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [0, 1], ids=["scheduled", "held back"])
def test_who_came_back_keeps_that_start_when_the_courses_end_is_edited(ratio):
    open_site(hold_back_ratio=ratio)
    garden = make_course()
    enrollment = enroll(make_learner(), garden, days_ago=300)
    for is_active in (False, True):
        enrollment.is_active = is_active
        enrollment.save()
    row = (HoldBack if ratio else Schedule).objects.get()
    came_back_at = row.enrolled_at
    assert came_back_at > enrollment.created
    move(garden, end=timezone.now() + timedelta(days=100))
    row.refresh_from_db()
    assert row.enrolled_at == getattr(row, row.START_FIELD) == came_back_at
    move(garden, start=came_back_at + timedelta(days=1))
    move(garden, start=started(400))
    row.refresh_from_db()
    assert getattr(row, row.START_FIELD) == came_back_at


def test_who_enrolls_before_the_start_goes_back_with_it_to_the_day_of_enrolling():
    open_site()
    alice, garden = make_learner(), make_course(start=started(1))
    enroll(alice, garden, days_ago=5)
    assert (schedule_of(alice, garden).enrolled_at, schedule_of(alice, garden).start_date) == (started(5), started(1))
    move(garden, start=started(30))
    assert schedule_of(alice, garden).start_date == started(5)


def test_a_row_made_by_hand_begins_with_its_start():
    alice = make_learner()
    facts = {"user": alice, "org": "MeadowX", "start_date": started(3)}
    Schedule.objects.create(course_id="one", **facts)
    Schedule.objects.bulk_create([Schedule(course_id="other", **facts)])
    assert {row.enrolled_at for row in Schedule.objects.all()} == {started(3)}


def test_the_beginning_is_shown_and_not_edited(admin_client):
    open_site()
    alice, garden = make_learner(), make_course()
    enroll(alice, garden)
    page = admin_client.get(f"/admin/schedules/schedule/{schedule_of(alice, garden).pk}/change/").text
    assert "field-enrolled_at" in page
    assert 'name="enrolled_at_0"' not in page


# Said once --------------------------------------------------------------------------------------------


def test_a_nudge_is_not_said_again_because_the_start_moved(site, mailoutbox):
    alice, garden = make_learner(), make_course(start=started(3))
    enroll(alice, garden, days_ago=30)
    send()
    for days in (1, 2, -1):
        move(garden, start=started(3 - days), self_paced=False)
        move(garden, self_paced=True)
        send(days=days)
    assert len(mailoutbox) == 1
    assert sorted(outcomes()) == ["already-told", "already-told", "already-told", "sent"]
    send(days=6)  # day 10 is another message
    assert len(mailoutbox) == 2


def test_a_week_is_not_said_again_because_the_start_moved(site, mailoutbox):
    alice = make_learner()
    garden = make_course(start=started(7), weeks=[["one"], ["two"], ["three"]])
    enroll(alice, garden, days_ago=30)
    send("course_update")
    move(garden, start=started(0))
    send("course_update", days=7)
    assert outcomes(day_offset=-7) == ["sent", "already-told"]
    send("course_update", days=14)
    assert outcomes(day_offset=-14) == ["sent"]
    assert len(mailoutbox) == 2


def test_a_message_names_only_what_is_news(site, mailoutbox):
    alice, garden, bees = make_learner(), make_course("Garden", start=started(3)), make_course("Bees")
    enroll(alice, garden, days_ago=30)
    enroll(alice, bees, days_ago=2)
    send()
    move(garden, start=started(2))
    send(days=1)
    told = [row.course_ids for row in ScheduledMessage.objects.order_by("target_date")]
    assert told == [[str(garden.pk)], [str(bees.pk)]]
    assert "Garden" not in mailoutbox[1].body


def test_who_enrolls_again_is_told_again(site, mailoutbox):
    alice, garden = make_learner(), make_course()
    enroll(alice, garden)
    send()
    now = timezone.now()
    api.learner_enrolled(alice.pk, str(garden.pk), enrolled_at=now, now=now)
    send(days=(now.date() - TODAY).days + 3)
    assert len(mailoutbox) == 2


def test_a_schedule_that_is_made_anew_for_the_same_enrollment_is_the_same_episode(site, mailoutbox):
    alice, garden = make_learner(), make_course(start=started(3))
    enroll(alice, garden, days_ago=30)
    send()
    Schedule.objects.all().delete()
    move(garden, start=started(2))
    api.learner_enrolled(alice.pk, str(garden.pk), enrolled_at=started(30), now=started(2))
    send(days=1)
    assert len(mailoutbox) == 1


def test_a_deadline_is_news_when_its_day_changed(site, mailoutbox):
    enable_deadlines()
    alice, garden = make_learner(), make_course(price=49, start=started(19))
    enroll(alice, garden, days_ago=30)
    send("upgrade_reminder")
    move(garden, start=started(19, hour=18))
    send("upgrade_reminder")
    assert len(mailoutbox) == 1
    move(garden, start=started(18))
    send("upgrade_reminder", days=1)
    assert len(mailoutbox) == 2


def test_other_courses_and_other_learners_are_told(site, mailoutbox):
    garden, bees = make_course("Garden"), make_course("Bees")
    alice, bob = make_learner(), make_learner("bob")
    enroll(alice, garden)
    send()
    enroll(bob, garden, days_ago=2)
    enroll(alice, bees, days_ago=2)
    send(days=1)
    assert len(mailoutbox) == 3


@pytest.mark.parametrize(("microseconds", "is_told"), [(-1, False), (0, True)])
def test_an_episode_begins_with_the_very_instant_of_enrolling(microseconds, is_told):
    sent_at = started(3) + timedelta(microseconds=microseconds)
    message = EarlierMessage(uuid=UUID(int=1), course_ids=frozenset({"c"}), sent_at=sent_at)
    assert message.is_about(Schedule(course_id="c", enrolled_at=started(3))) is is_told


def test_what_another_site_said_is_no_reason_to_say_nothing_here(site, mailoutbox):
    harbor = open_site("harbor.example.org")
    enroll(make_learner(), make_course())
    for domain in (harbor.domain, site.domain):
        call_command("send_recurring_nudge", domain, date=TODAY.isoformat(), verbosity=0)
    assert outcomes(site=harbor) == outcomes(site=site) == ["sent"]
    assert len(mailoutbox) == 2


def test_what_went_out_meanwhile_is_seen_when_the_turn_comes(site, mailoutbox, broker):
    alice, garden = make_learner(), make_course(start=started(3))
    enroll(alice, garden, days_ago=30)
    send()
    perform(broker())
    deliver_today = broker()
    move(garden, start=started(2))
    perform(broker())
    send(days=1)
    perform(broker())
    deliver_tomorrow = broker()
    for start, deliver in ((started(3), deliver_today), (started(2), deliver_tomorrow)):
        move(garden, start=start)
        perform(broker())
        perform(deliver)
    assert len(mailoutbox) == 1
    assert outcomes() == ["sent", "already-told"]


@pytest.mark.parametrize(("becomes", "sent"), [("skipped", 1), ("sent", 0)])
def test_what_is_in_a_workers_hands_is_waited_for(becomes, sent, site, mailoutbox):
    alice, garden = make_learner(), make_course(start=started(3))
    enroll(alice, garden, days_ago=30)
    send()
    first = ScheduledMessage.objects.all()
    first.update(status="delivering", sent_at=None, leased_until=timezone.now() + timedelta(hours=1))
    (uuid,) = first.values_list("pk", flat=True)
    mailoutbox.clear()
    move(garden, start=started(2))
    send(days=1)
    (waiting,) = ScheduledMessage.objects.exclude(pk=uuid)
    assert (waiting.status, waiting.attempts) == ("claimed", 0)
    assert waiting.due_at > timezone.now()
    assert mailoutbox == []
    ScheduledMessage.objects.filter(pk=uuid).update(
        status=becomes, sent_at=timezone.now() if becomes == "sent" else None
    )
    ScheduledMessage.objects.filter(pk=waiting.pk).update(due_at=started(0), leased_until=started(0))
    api.recover()
    assert len(mailoutbox) == sent
    waiting.refresh_from_db()
    assert (waiting.reason or waiting.status) == ("sent" if sent else "already-told")


def test_a_test_run_says_it_to_whoever_tests(site, mailoutbox):
    enroll(make_learner(), make_course())
    send()
    send(override_recipient_email="operator@example.org")
    assert len(mailoutbox) == 2


def test_the_ledger_keeps_the_courses_that_were_named(site, mailoutbox, broker):
    alice, garden, bees = make_learner(), make_course("Garden"), make_course("Bees")
    enroll(alice, garden)
    enroll(alice, bees)
    send()
    perform(broker())
    CourseEmailOptout.objects.create(user=alice, course=bees)
    perform(broker())
    assert ScheduledMessage.objects.get().course_ids == [str(garden.pk)]
