"""Who is due (behavior 6), asked of the resolvers themselves."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from schedules.contrib.lms.models import CourseEmailOptout, CourseEnrollment, CourseMode, Section, SiteConfiguration
from schedules.finding.facts import Moment
from schedules.message_types import resolver_for
from schedules.message_types.deciding import decide as decide_now
from schedules.models import (
    CourseDynamicUpgradeDeadlineConfiguration,
    DynamicUpgradeDeadlineConfiguration,
    Schedule,
    ScheduleExperience,
)
from schedules.values.data import CourseLinks, ExperienceType
from schedules.values.runs import BINS, RunOrigin
from tests.world import (
    TODAY,
    enable_deadlines,
    enroll,
    make_course,
    make_learner,
    open_site,
    resolver,
    schedule_of,
    started,
)

pytestmark = pytest.mark.django_db


A_YEAR_LATER = started(-365)


def decide(message_type, site, day_offset):
    """All decisions of the day, from all bins. The day was asked for by date, a year ago."""
    one = resolver(site, message_type, day_offset, RunOrigin.DATE)
    return [
        decision
        for number in range(BINS)
        for schedules in one.batches(number)
        for decision in decide_now(one, schedules, A_YEAR_LATER, Moment.FINDING)
    ]


def found(message_type, site, day_offset):
    """Username -> the reason that it is skipped or failed for, or the names of the courses."""
    names = {schedule.user_id: schedule.user.username for schedule in Schedule.objects.select_related("user")}
    return {
        names[one.entry.user_id]: one.outcome.reason if one.outcome else [due.course.name for due in one.courses]
        for one in decide(message_type, site, day_offset)
    }


@pytest.mark.parametrize("days_ago", [3, 10])
def test_a_nudge_is_due_on_its_day_and_on_no_other(days_ago):
    site, garden = open_site(), make_course("Garden")
    for name, shift in (("early", 1), ("alice", 0), ("late", -1)):
        enroll(make_learner(name), garden, days_ago=days_ago + shift)
    assert found("recurring_nudge", site, -days_ago) == {"alice": ["Garden"]}


def test_a_day_runs_from_midnight_to_midnight_in_the_zone_of_the_settings(settings):
    site, garden = open_site(), make_course("Garden")
    for hour in range(24):
        enroll(make_learner(f"hour{hour}"), garden, created=started(3, hour))
    enroll(make_learner("next"), garden, created=started(2, 0))
    assert len(found("recurring_nudge", site, -3)) == 24
    settings.SCHEDULES = {"TIME_ZONE": "America/New_York"}
    # The ninth of March: clocks in New York changed the day before; three days earlier noon UTC is 7:00 there.
    assert set(found("recurring_nudge", site, -3)) == {"next", *(f"hour{hour}" for hour in range(5, 24))}


def test_a_reminder_is_due_two_days_before_the_deadline():
    site, garden = open_site(), make_course("Garden", price=49)
    enable_deadlines()
    for name, days_ago in (("early", 20), ("alice", 19), ("late", 18)):
        enroll(make_learner(name), garden, days_ago=days_ago)
    assert found("upgrade_reminder", site, 2) == {"alice": ["Garden"]}


@pytest.mark.parametrize("week", [1, 2, 11])
def test_an_update_is_due_on_whole_weeks_up_to_the_last(week):
    site = open_site()
    garden = make_course("Garden", weeks=[[f"week {number}"] for number in range(1, 13)])
    for name, shift in (("early", 1), ("alice", 0), ("late", -1)):
        enroll(make_learner(name), garden, days_ago=7 * week + shift)
    assert found("course_update", site, -7 * week) == {"alice": ["Garden"]}


def test_updates_end_with_week_eleven_inclusive():
    offsets = resolver_for("course_update").day_offsets()
    assert (offsets[0], offsets[-1], len(offsets)) == (-7, -77, 11)


EXPERIENCES = [ExperienceType.DEFAULT, ExperienceType.COURSE_UPDATES, None]


@pytest.mark.parametrize("experience", EXPERIENCES)
@pytest.mark.parametrize(
    ("message_type", "day_offset", "days_ago", "wanted"),
    [
        ("recurring_nudge", -10, 10, (ExperienceType.DEFAULT, None)),
        ("upgrade_reminder", 2, 19, (ExperienceType.DEFAULT, None)),
        ("course_update", -14, 14, (ExperienceType.COURSE_UPDATES,)),
    ],
)
def test_each_experience_gets_its_own_messages(experience, message_type, day_offset, days_ago, wanted):
    site, garden = open_site(), make_course("Garden", price=49, weeks=[["a"], ["b"]])
    enable_deadlines()
    alice = make_learner()
    enroll(alice, garden, days_ago=days_ago)
    if experience is None:
        ScheduleExperience.objects.all().delete()
    else:
        ScheduleExperience.objects.update(experience_type=experience.value)
    assert bool(found(message_type, site, day_offset)) == (experience in wanted)


def test_some_learners_are_not_due_at_all():
    site, garden = open_site(), make_course("Garden")
    ended, paced = make_course("Ended"), make_course("Paced")
    enroll(make_learner("alice"), garden)
    enroll(make_learner("inactive", is_active=False), garden)
    enroll(make_learner("carol"), ended)
    enroll(make_learner("dan"), paced)
    enroll(make_learner("erin"), garden)
    ended.end = started(1)
    ended.save()
    paced.self_paced = False
    paced.save()
    CourseEnrollment.objects.filter(user__username="erin").update(is_active=False)
    assert found("recurring_nudge", site, -3) == {"alice": ["Garden"]}


@pytest.mark.parametrize(("ends_days_ago", "is_due"), [(1, False), (0, True), (-1, True)])
def test_a_course_may_end_today(ends_days_ago, is_due):
    site, garden = open_site(), make_course("Garden")
    enroll(make_learner(), garden)
    garden.end = datetime.combine(TODAY - timedelta(days=ends_days_ago), datetime.min.time(), tzinfo=UTC)
    garden.save()
    assert bool(found("recurring_nudge", site, -3)) == is_due


def test_a_course_that_the_host_no_longer_knows_is_not_due():
    site = open_site()
    alice = make_learner()
    Schedule.objects.create(user=alice, course_id="course-v1:Gone+X+1", org="Gone", start_date=started(3))
    assert found("recurring_nudge", site, -3) == {}


def test_a_course_that_the_host_has_no_links_for_leads_to_the_dashboard(change_host):
    change_host("course_links", lambda answer, keys: {})
    change_host("dashboard_url", lambda answer, site_id: "/my-courses")
    site = open_site()
    enroll(make_learner(), make_course())
    (decision,) = decide("recurring_nudge", site, -3)
    assert decision.courses[0].links == CourseLinks(home="/my-courses")


@pytest.mark.parametrize("address", ["", "  "])
def test_it_skips_learners_without_an_address(address):
    site = open_site()
    enroll(make_learner("alice", email=address), make_course())
    assert found("recurring_nudge", site, -3) == {"alice": "no-address"}


def test_opt_outs_remove_their_courses_and_the_last_one_the_message():
    site = open_site()
    alice, bob, bees, garden = make_learner("alice"), make_learner("bob"), make_course("Bees"), make_course("Garden")
    for learner in (alice, bob):
        enroll(learner, bees)
        enroll(learner, garden)
    CourseEmailOptout.objects.create(user=alice, course=bees)
    CourseEmailOptout.objects.create(user=bob, course=bees)
    CourseEmailOptout.objects.create(user=bob, course=garden)
    assert found("recurring_nudge", site, -3) == {"alice": ["Garden"], "bob": "opted-out"}


def test_nudges_and_reminders_are_one_per_learner_ordered_by_course_name_then_id():
    site = open_site()
    enable_deadlines()
    alice = make_learner()
    for name, number in (("Garden", "B"), ("Bees", "Z"), ("Garden", "A")):
        enroll(alice, make_course(name, number=number, price=10), days_ago=19)
    Schedule.objects.update(start_date=started(3))
    for message_type, day_offset in (("recurring_nudge", -3), ("upgrade_reminder", 2)):
        (decision,) = decide(message_type, site, day_offset)
        assert [due.course.id for due in decision.courses] == [
            "course-v1:MeadowX+Z+2026",
            "course-v1:MeadowX+A+2026",
            "course-v1:MeadowX+B+2026",
        ]
        assert decision.entry.schedule_id is None


def test_updates_are_one_per_course():
    site = open_site()
    alice = make_learner()
    for name in ("Bees", "Garden"):
        enroll(alice, make_course(name, weeks=[["a"]]), days_ago=7)
    decisions = decide("course_update", site, -7)
    assert [[due.course.name for due in one.courses] for one in decisions] == [["Bees"], ["Garden"]]
    assert len({one.entry.uuid for one in decisions}) == 2


def spoil_nothing(garden, enrollment):
    pass


def pass_the_deadline(garden, enrollment):
    Schedule.objects.update(upgrade_deadline=started(1))


def opt_the_course_out(garden, enrollment):
    CourseDynamicUpgradeDeadlineConfiguration.objects.create(enabled=True, opt_out=True, course_id=str(garden.pk))


def switch_deadlines_off(garden, enrollment):
    DynamicUpgradeDeadlineConfiguration.objects.create(enabled=False)


def upgrade(garden, enrollment):
    CourseEnrollment.objects.update(mode="verified")


def let_the_mode_expire(garden, enrollment):
    CourseMode.objects.update(expiration_datetime=started(1))


def stop_selling(garden, enrollment):
    CourseMode.objects.filter(mode_slug="verified").delete()
    Schedule.objects.update(upgrade_deadline=started(-2))


@pytest.mark.parametrize(
    ("spoil", "can_upgrade"),
    [
        (spoil_nothing, True),
        (pass_the_deadline, False),
        (opt_the_course_out, False),
        (switch_deadlines_off, False),
        (upgrade, False),
        (let_the_mode_expire, False),
        (stop_selling, False),
    ],
)
def test_what_can_be_upgraded_is_read_when_the_message_is_made(spoil, can_upgrade):
    site, garden = open_site(), make_course("Garden", price=49)
    enable_deadlines()
    enrollment = enroll(make_learner(), garden)
    spoil(garden, enrollment)
    (decision,) = decide("recurring_nudge", site, -3)
    assert decision.courses[0].can_upgrade == can_upgrade


def test_a_reminder_names_only_courses_that_can_be_upgraded():
    site = open_site()
    enable_deadlines()
    alice, bob = make_learner("alice"), make_learner("bob")
    bees, garden = make_course("Bees", price=10), make_course("Garden", price=10)
    enroll(alice, bees, days_ago=19)
    enroll(alice, garden, days_ago=19, mode="verified")
    enroll(bob, garden, days_ago=19, mode="verified")
    assert found("upgrade_reminder", site, 2) == {"alice": ["Bees"], "bob": "nothing-to-upgrade"}


def test_sections_that_say_nothing_use_up_no_week():
    site = open_site()
    garden = make_course("Garden", weeks=[["one"], [], ["hidden"], ["staff"], ["two"]])
    Section.objects.filter(position=3).update(hide_from_toc=True)
    Section.objects.filter(position=4).update(visible_to_staff_only=True)
    for name, days_ago in (("alice", 7), ("bob", 14), ("carol", 21)):
        enroll(make_learner(name), garden, days_ago=days_ago)

    def highlights(week):
        one = resolver(site, "course_update", -7 * week, RunOrigin.DATE)
        ((decision,),) = [
            decide_now(one, schedules, A_YEAR_LATER, Moment.FINDING)
            for number in range(BINS)
            for schedules in one.batches(number)
            if schedules
        ]
        return decision.outcome.reason if decision.outcome else one.context(decision.courses)["week_highlights"]

    assert [highlights(week) for week in (1, 2, 3)] == [["one"], ["two"], "no-highlights"]


def test_highlights_are_read_when_the_message_is_made():
    site, garden = open_site(), make_course("Garden", weeks=[["one"]])
    enroll(make_learner(), garden, days_ago=7)
    garden.highlights_enabled_for_messaging = False
    garden.save()
    assert found("course_update", site, -7) == {"alice": "no-highlights"}


def test_a_site_writes_about_its_own_organizations():
    here, harbor, third = open_site(), open_site("harbor.example.org"), open_site("third.example.org")
    SiteConfiguration.objects.create(site=harbor, enabled=True, site_values={"course_org_filter": ["HarborX"]})
    enroll(make_learner("alice"), make_course("Garden", org="MeadowX"))
    enroll(make_learner("bob"), make_course("Boats", org="HarborX"))
    assert found("recurring_nudge", here, -3) == {"alice": ["Garden"]}
    assert found("recurring_nudge", harbor, -3) == {"bob": ["Boats"]}
    assert found("recurring_nudge", third, -3) == {"alice": ["Garden"]}
    SiteConfiguration.objects.update(enabled=False)
    assert set(found("recurring_nudge", here, -3)) == {"alice", "bob"}


@pytest.mark.all_bins
def test_every_learner_is_in_exactly_one_bin_and_whole(settings):
    settings.SCHEDULES = {"RESOLVE_BATCH_SIZE": 2}
    site, bees, garden = open_site(), make_course("Bees"), make_course("Garden")
    for number in range(60):
        learner = make_learner(f"learner{number}")
        enroll(learner, bees)
        enroll(learner, garden)
    one = resolver(site, "recurring_nudge", -3)
    pages = [page for number in range(BINS) for page in one.batches(number)]
    assert all(len({schedule.user_id for schedule in page}) <= 2 for page in pages)
    seen = [schedule.pk for page in pages for schedule in page]
    assert sorted(seen) == sorted(Schedule.objects.values_list("pk", flat=True))
    assert all(len(page) % 2 == 0 for page in pages)


def test_it_asks_the_database_as_often_for_fifty_learners_as_for_one():
    site, garden = open_site(), make_course("Garden", price=49)
    enable_deadlines()

    def count_queries():
        one = resolver(site, "recurring_nudge", -3, RunOrigin.DATE)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            decisions = [
                decision for page in one.batches(0) for decision in decide_now(one, page, A_YEAR_LATER, Moment.FINDING)
            ]
        return len(decisions), len(queries)

    enroll(make_learner("learner0", pk=24), garden)
    few = count_queries()
    for number in range(2, 51):
        enroll(make_learner(f"learner{number}", pk=24 * number), garden)
    assert few[0] == 1
    assert count_queries() == (50, few[1])


def test_the_same_message_has_the_same_uuid_and_any_other_another():
    site, other, garden = open_site(), open_site("other.example.org"), make_course("Garden", weeks=[["a"], ["b"]])
    alice, bob = make_learner("alice"), make_learner("bob")
    enroll(alice, garden, days_ago=7)
    enroll(bob, garden, days_ago=14)
    enroll(alice, make_course("Bees", weeks=[["a"]]), days_ago=7)
    uuids = [
        one.entry.uuid
        for where, day_offset in ((site, -7), (site, -14), (other, -7))
        for one in decide("course_update", where, day_offset)
    ]
    assert len(set(uuids)) == len(uuids) == 5
    assert [one.entry.uuid for one in decide("course_update", site, -7)] == uuids[:2]
    assert schedule_of(alice, garden).pk in {one.entry.schedule_id for one in decide("course_update", site, -7)}


def test_it_reads_from_the_replica_where_there_is_one(settings, monkeypatch):
    one = resolver(open_site(), "recurring_nudge", -3)
    assert one._due._rows().db == "default"
    monkeypatch.setitem(settings.DATABASES, "read_replica", {})
    assert one._due._rows().db == "read_replica"
