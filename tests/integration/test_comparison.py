"""Scheduled learners beside those who were held back: who is compared, with what, and what is said of it."""

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from django.contrib.auth.models import User
from django.contrib.sites.models import Site
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from schedules.contrib.lms.models import CourseEnrollment
from schedules.exceptions import HostError
from schedules.host import LearnerProgress
from schedules.models import HoldBack, Schedule, ScheduleConfig, ScheduleExperience
from schedules.reporting import ReportScope, assignment
from schedules.reporting.comparison import Share, compare
from schedules.testing import FakeHost
from schedules.values.runs import BINS
from tests.world import TODAY, enroll, make_course, make_learner, open_site, started

pytestmark = pytest.mark.django_db

NOW = started(0)
GARDEN, MAPS = "course-v1:MeadowX+GARDEN1+2026", "course-v1:RiverX+MAPS+2026"
DEEDS = ("came_back", "upgraded", "completed")

_numbers = count(1)


@pytest.fixture
def site():
    """A site that has been drawing since 100 days ago."""
    opened = open_site("meadow.example.com")
    set_ratio(opened, 0.2, days_ago=100)
    return opened


def set_ratio(site, ratio, days_ago):
    row = ScheduleConfig.objects.create(site=site, hold_back_ratio=ratio, create_schedules=True)
    ScheduleConfig.objects.filter(pk=row.pk).update(change_date=started(days_ago))


def make_learners(how_many):
    users = [User(username=f"learner{next(_numbers)}") for _ in range(how_many)]
    User.objects.bulk_create(users)
    return [user.pk for user in users]


def schedule(user_ids, course_id=GARDEN, *, days_ago=20, created=None, org="MeadowX", experience=0):
    rows = [
        Schedule(user_id=pk, course_id=course_id, org=org, start_date=started(days_ago), created=created)
        for pk in user_ids
    ]
    for row in rows:
        row.created = created or row.start_date
    Schedule.objects.bulk_create(rows)
    if experience is not None:
        ScheduleExperience.objects.bulk_create(
            ScheduleExperience(schedule=row, experience_type=experience) for row in rows
        )
    return user_ids


def hold_back(site, user_ids, course_id=GARDEN, *, days_ago=20, created=None, experience=0):
    HoldBack.objects.bulk_create(
        HoldBack(
            user_id=pk,
            course_id=course_id,
            site=site,
            experience_type=experience,
            content_availability_date=started(days_ago),
            created=created or started(days_ago),
        )
        for pk in user_ids
    )
    return user_ids


def did(user_ids, *deeds, course_id=GARDEN):
    """What the host knows of these learners: they did that yesterday."""
    facts = {
        {"came_back": "last_active_at", "upgraded": "upgraded_at", "completed": "completed_at"}[deed]: started(1)
        for deed in deeds
    }
    return [LearnerProgress(user_id=pk, course_id=course_id, **facts) for pk in user_ids]


def scope_of(site, *, first=60, last=0, **narrower):
    days = {"first_day": TODAY - timedelta(days=first), "last_day": TODAY - timedelta(days=last)}
    return ReportScope(site=site, **days, **narrower)


def shares(comparison):
    """Effect -> (scheduled, held back), each as (count, of)."""
    return {
        effect.key: ((effect.scheduled.count, effect.scheduled.of), (effect.held_back.count, effect.held_back.of))
        for effect in comparison.effects
    }


def came_back(comparison):
    return shares(comparison)["came_back"]


# Counting -----------------------------------------------------------------------------------------


def test_both_groups_are_counted_with_rates_and_the_difference(site):
    mine, others = schedule(make_learners(200)), hold_back(site, make_learners(100))
    host = FakeHost(
        progress=[
            *did(mine[:90], "came_back", "completed"),
            *did(mine[90:], "upgraded"),
            *did(others[:20], *DEEDS),
            *did(others[20:]),
        ]
    )
    found = compare(scope_of(site), NOW, host)
    assert (found.scheduled_count, found.held_back_count, found.notes) == (200, 100, ())
    assert shares(found) == {
        "came_back": ((90, 200), (20, 100)),
        "upgraded": ((110, 200), (20, 100)),
        "completed": ((90, 200), (20, 100)),
    }
    effect = found.effects[0]
    assert (effect.scheduled.rate, effect.held_back.rate, str(effect.label)) == (0.45, 0.2, "came back")
    assert (effect.difference, round(effect.low, 4), round(effect.high, 4)) == (0.25, 0.1385, 0.3461)
    assert effect.interpretation == (
        "Of 100 scheduled learners, 25.0 more came back than of 100 held back; "
        "the true number lies between 13.9 and 34.6 with 95% confidence."
    )


def test_a_learner_counts_once_and_did_what_they_did_in_any_course(site):
    alice, bola = make_learners(2)
    for course_id in (GARDEN, MAPS):
        schedule([alice, bola], course_id)
    progress = [*did([alice], "came_back"), *did([alice], "completed", course_id=MAPS), *did([bola])]
    found = compare(scope_of(site), NOW, FakeHost(progress=progress))
    assert shares(found) == {"came_back": ((1, 2), (0, 0)), "upgraded": ((0, 2), (0, 0)), "completed": ((1, 2), (0, 0))}


@pytest.mark.parametrize(("experience", "first_day"), [(None, 3), (0, 3), (1, 7)])
def test_only_who_came_after_the_first_message_day_came_back(site, experience, first_day):
    """A learner without a row for the experience counts as one with the default."""
    mine, others = make_learners(3), make_learners(3)
    schedule(mine, experience=experience)
    hold_back(site, others, experience=experience or 0)
    first = datetime(2026, 2, 17 + first_day, tzinfo=UTC)  # the day begins at midnight, whatever the hour of the start
    instants = [first - timedelta(seconds=1), first, first + timedelta(days=5)]
    progress = [
        LearnerProgress(user_id=pk, course_id=GARDEN, last_active_at=at)
        for group in (mine, others)
        for pk, at in zip(group, instants, strict=True)
    ]
    assert came_back(compare(scope_of(site), NOW, FakeHost(progress=progress))) == ((2, 3), (2, 3))


def test_the_first_message_day_is_that_of_the_settings(site, settings):
    settings.SCHEDULES = {**settings.SCHEDULES, "RECURRING_NUDGE_DAYS": (12, 5)}
    assert assignment.first_message_days() == {0: 5, 1: 7}
    settings.SCHEDULES = {**settings.SCHEDULES, "RECURRING_NUDGE_DAYS": ()}
    assert assignment.first_message_days() == {0: 0, 1: 7}


@pytest.mark.parametrize(("upgraded_at", "is_counted"), [(started(20), False), (started(19), True)])
def test_who_upgraded_before_they_could_begin_did_not_upgrade_for_a_message(site, upgraded_at, is_counted):
    (alice,) = schedule(make_learners(1))
    progress = [LearnerProgress(user_id=alice, course_id=GARDEN, upgraded_at=upgraded_at)]
    found = shares(compare(scope_of(site), NOW, FakeHost(progress=progress)))
    assert found["upgraded"] == ((int(is_counted), 1), (0, 0))


# Who is compared ----------------------------------------------------------------------------------


@pytest.mark.parametrize("experience", [0, 1])
def test_a_learner_is_compared_when_the_first_message_day_is_over(site, experience):
    days = {0: 3, 1: 7}[experience]
    schedule(make_learners(2), days_ago=days + 1, experience=experience)
    hold_back(site, make_learners(1), days_ago=days + 1, experience=experience)
    schedule(make_learners(3), days_ago=days, experience=experience)
    hold_back(site, make_learners(4), days_ago=days, experience=experience)
    everybody = did(User.objects.values_list("pk", flat=True))
    found = compare(scope_of(site), NOW, FakeHost(progress=everybody))
    assert (found.scheduled_count, found.held_back_count) == (2, 1)
    assert found.notes == ("7 learners are too new: the day of their first message has not passed.",)


def test_of_a_learner_with_an_old_and_a_new_course_the_old_one_is_compared(site):
    (alice,) = make_learners(1)
    schedule([alice], days_ago=20)
    schedule([alice], MAPS, days_ago=1)
    progress = [*did([alice]), *did([alice], *DEEDS, course_id=MAPS)]
    found = compare(scope_of(site), NOW, FakeHost(progress=progress))
    assert (came_back(found), found.notes) == (((0, 1), (0, 0)), ())


def test_the_days_are_those_of_the_scope_to_their_ends(site):
    for days_ago, how_many in ((31, 1), (30, 2), (10, 4), (9, 8)):
        schedule(make_learners(how_many), days_ago=days_ago)
        hold_back(site, make_learners(how_many), days_ago=days_ago)
    everybody = did(User.objects.values_list("pk", flat=True))
    found = compare(scope_of(site, first=30, last=10), NOW, FakeHost(progress=everybody))
    assert (found.scheduled_count, found.held_back_count) == (6, 6)


def test_a_day_is_one_of_the_time_zone_of_the_settings(site, settings):
    settings.SCHEDULES = {**settings.SCHEDULES, "TIME_ZONE": "Pacific/Auckland"}
    schedule(make_learners(1), days_ago=11)  # noon in UTC is the next day there
    found = compare(
        scope_of(site, first=10, last=10), NOW, FakeHost(progress=did(User.objects.values_list("pk", flat=1)))
    )
    assert found.scheduled_count == 1


def test_a_course_can_be_compared_alone(site):
    garden, maps = make_learners(2), make_learners(3)
    schedule(garden)
    schedule(maps, MAPS)
    hold_back(site, make_learners(1), MAPS)
    everybody = [
        progress
        for each in (GARDEN, MAPS)
        for progress in did(User.objects.values_list("pk", flat=True), course_id=each)
    ]
    found = compare(scope_of(site, course_id=MAPS, message_name="courseupdate"), NOW, FakeHost(progress=everybody))
    assert (found.scheduled_count, found.held_back_count) == (3, 1)


def test_each_site_compares_its_own_organizations_and_its_own_draw(site):
    harbor = open_site("harbor.example.com")
    set_ratio(harbor, 0.5, days_ago=50)
    schedule(make_learners(2))
    schedule(make_learners(3), org="HarborX")
    hold_back(site, make_learners(4))
    hold_back(harbor, make_learners(5))
    host = FakeHost(
        site_values={harbor.pk: {"course_org_filter": ["HarborX"]}},
        progress=did(User.objects.values_list("pk", flat=True)),
    )
    counts = [
        (found.scheduled_count, found.held_back_count)
        for found in (compare(scope_of(each), NOW, host) for each in (site, harbor))
    ]
    assert counts == [(2, 4), (3, 5)]


def test_learners_on_both_sides_are_left_out_of_both(site):
    mine, both, others = make_learners(2), make_learners(3), make_learners(4)
    schedule([*mine, *both])
    hold_back(site, [*both, *others], MAPS)
    everybody = [
        progress
        for each in (GARDEN, MAPS)
        for progress in did(User.objects.values_list("pk", flat=True), course_id=each)
    ]
    found = compare(scope_of(site), NOW, FakeHost(progress=everybody))
    assert (found.scheduled_count, found.held_back_count) == (2, 4)
    assert found.notes == (
        "3 learners are left out, for they are in both groups: the ratio was changed while they enrolled.",
    )


# The draw -----------------------------------------------------------------------------------------


def test_without_a_draw_there_is_nothing_to_compare_and_it_is_said_how_to_begin():
    quiet = open_site("quiet.example.com")
    schedule(make_learners(3))
    for ratio in (0, 1):  # nobody, and everybody: no draw
        set_ratio(quiet, ratio, days_ago=50 - ratio)
    set_ratio(Site.objects.create(domain="other.example.com"), 0.5, days_ago=70)
    found = compare(scope_of(quiet), NOW, FakeHost())
    assert (found.scheduled_count, found.held_back_count, found.effects) == (0, 0, ())
    assert found.notes == (
        "There is no control group: no learner has been held back so far. To begin, set the hold-back ratio in the "
        "schedule configuration of quiet.example.com to a number between 0 and 1.",
    )


def test_who_enrolled_while_there_was_no_draw_is_not_compared():
    site = open_site("meadow.example.com", hold_back_ratio=0)
    ScheduleConfig.objects.update(change_date=started(90))
    for ratio, days_ago in ((0.2, 50), (1, 40), (0.2, 30), (0, 20)):
        set_ratio(site, ratio, days_ago=days_ago)
    for number, days_ago in enumerate((51, 50, 41, 40, 31, 30, 21, 20)):
        schedule(make_learners(2**number), days_ago=days_ago)
        hold_back(site, make_learners(2**number), days_ago=days_ago)
    everybody = did(User.objects.values_list("pk", flat=True))
    found = compare(scope_of(site), NOW, FakeHost(progress=everybody))
    drawn = 2 + 4 + 32 + 64
    assert (found.scheduled_count, found.held_back_count, found.notes) == (drawn, drawn, ())


def test_what_counts_is_when_a_learner_enrolled_and_not_when_the_course_began(site):
    schedule(make_learners(1), days_ago=20, created=started(101))
    schedule(make_learners(2), days_ago=20, created=started(99))
    found = compare(scope_of(site), NOW, FakeHost(progress=did(User.objects.values_list("pk", flat=True))))
    assert found.scheduled_count == 2


def test_a_change_that_leaves_the_ratio_as_it_was_interrupts_nothing(site):
    for days_ago in (80, 60, 40):
        set_ratio(site, 0.2, days_ago=days_ago)
    assert assignment.assignment_spans(site) == [assignment.Span(begins=started(100), ends=None, ratio=0.2)]


@pytest.mark.parametrize(("changed_days_ago", "is_said"), [(61, False), (30, True)])
def test_it_is_said_that_the_ratio_was_changed_on_these_days(site, changed_days_ago, is_said):
    set_ratio(site, 0.4, days_ago=changed_days_ago)
    schedule(make_learners(1))
    found = compare(scope_of(site), NOW, FakeHost(progress=did(User.objects.values_list("pk", flat=True))))
    assert ["The hold-back ratio was changed" in note for note in found.notes] == [True] * is_said


# The host -----------------------------------------------------------------------------------------


class FailsAt(FakeHost):
    """It fails at some learners, as a host does that has bad data."""

    def __init__(self, user_ids, **facts):
        super().__init__(**facts)
        self.user_ids, self.questions = set(user_ids), 0

    def progress(self, keys):
        self.questions += 1
        if self.user_ids & {user_id for user_id, _ in keys}:
            raise ValueError("alice@learners.example.com")
        return super().progress(keys)


def test_learners_whom_the_host_fails_at_or_does_not_know_are_left_out(site):
    mine, others = schedule(make_learners(6)), hold_back(site, make_learners(5))
    schedule(mine[:1], MAPS)  # this learner's other course is no trouble, and yet no whole answer
    known = [*did(mine[:5], "came_back"), *did(mine[:1], course_id=MAPS), *did(others[2:])]
    found = compare(scope_of(site), NOW, FailsAt([mine[0], others[4]], progress=known))
    assert came_back(found) == ((4, 4), (0, 2))
    assert (found.scheduled_count, found.held_back_count) == (4, 2)
    assert found.notes == (
        "2 learners are left out, for the learning platform failed when it was asked about them; the log says how.",
        "3 learners are left out, for the learning platform does not say what became of them.",
    )


def test_a_learner_is_known_by_the_courses_that_the_host_knows(site):
    (alice,) = schedule(make_learners(1))
    schedule([alice], MAPS)
    found = compare(scope_of(site), NOW, FakeHost(progress=did([alice], "came_back", course_id=MAPS)))
    assert (came_back(found), found.notes) == (((1, 1), (0, 0)), ())


def test_a_host_that_answers_nothing_is_named(site):
    schedule(make_learners(40))
    hold_back(site, make_learners(40))
    found = compare(scope_of(site), NOW, FakeHost())
    assert (found.scheduled_count, found.held_back_count, found.effects) == (0, 0, ())
    assert found.notes == (
        "The learning platform does not say what became of learners: its host has no answers to “progress”. "
        "Without them there is no comparison.",
    )


def test_a_host_that_fails_at_a_whole_page_is_not_asked_on(site, settings):
    settings.SCHEDULES = {**settings.SCHEDULES, "RESOLVE_BATCH_SIZE": 4}
    mine, others = schedule(make_learners(50)), hold_back(site, make_learners(3))
    host = FailsAt(mine, progress=did(others))
    found = compare(scope_of(site), NOW, host)
    assert (came_back(found), host.questions) == (((0, 0), (0, 3)), 7 + 1)
    assert "50 learners are left out, for the learning platform failed" in found.notes[0]


def test_a_host_that_is_away_is_asked_again_later(site):
    class IsAway(FakeHost):
        def progress(self, keys):
            raise HostError("maintenance", is_temporary=True)

    schedule(make_learners(1), days_ago=20)
    schedule(make_learners(1), days_ago=1)
    found = compare(scope_of(site), NOW, IsAway())
    assert found.effects == ()
    assert found.notes == (
        "The learning platform cannot say at the moment what became of these learners. Try again later.",
        "1 learner is too new: the day of their first message has not passed.",
    )


def test_the_host_of_the_settings_is_asked_and_the_embedded_lms_knows():
    site = open_site("example.com")
    set_ratio(site, 0.5, days_ago=100)
    garden = make_course()
    learners = [make_learner(name) for name in ("alice", "bola", "chen", "dina", "emil", "fatima", "goran", "hana")]
    for learner in learners:
        enroll(learner, garden, days_ago=20, last_active_at=started(2))
    for model in (Schedule, HoldBack):
        model.objects.update(created=started(20))
    CourseEnrollment.objects.filter(user=learners[0]).update(last_active_at=started(19))
    found = compare(scope_of(site), NOW)
    assert found.scheduled_count + found.held_back_count == 8
    assert sum(share.count for share in (found.effects[0].scheduled, found.effects[0].held_back)) == 7
    assert found.scheduled_count == Schedule.objects.count()


# Large and small ----------------------------------------------------------------------------------


def test_as_many_queries_for_fifty_learners_as_for_one(site):
    counts = []
    for how_many in (1, 49):
        for experience in (0, 1):
            schedule(make_learners(how_many), experience=experience)
            hold_back(site, make_learners(how_many), experience=experience)
        host = FakeHost(progress=did(User.objects.values_list("pk", flat=True)))
        with CaptureQueriesContext(
            connection,
        ) as queries:
            compare(scope_of(site), NOW, host)
        counts.append(len(queries))
    assert counts == [8, 8]  # history, those on both sides, and of each group: bins, a page, its enrollments


def test_pages_hold_whole_learners_and_leave_nobody_out(site, settings):
    settings.SCHEDULES = {**settings.SCHEDULES, "RESOLVE_BATCH_SIZE": 3}
    mine, others = schedule(make_learners(9)), hold_back(site, make_learners(10))
    schedule(mine, MAPS)
    asked = []

    class Listens(FakeHost):
        def progress(self, keys):
            asked.append([user_id for user_id, _ in keys])
            return super().progress(keys)

    found = compare(scope_of(site), NOW, Listens(progress=did([*mine, *others], "came_back")))
    assert came_back(found) == ((9, 9), (10, 10))
    assert [len(page) for page in asked] == [6, 6, 6, 3, 3, 3, 1]
    assert all(len(set(page)) == 3 for page in asked[:6])


@pytest.mark.slow
def test_a_large_group_is_sampled_by_whole_bins(site):
    mine, others = schedule(make_learners(1000 * BINS), experience=None), hold_back(site, make_learners(10))
    asked = set()

    class Listens(FakeHost):
        def progress(self, keys):
            asked.update(user_id for user_id, _ in keys)
            return super().progress(keys)

    found = compare(scope_of(site), NOW, Listens(progress=did([*mine, *others])))
    assert (found.scheduled_count, found.held_back_count) == (20_000, 10)
    assert asked - set(others) == {pk for pk in mine if pk % BINS < 20}
    assert found.notes == ("Of 24,000 scheduled learners, a sample of 20,000 is compared.",)


@pytest.mark.slow
def test_one_bin_is_compared_however_large_it_is(site):
    bin_of_all = [User(username=f"one-of-bin-0-{number}", pk=BINS * number) for number in range(1, 20_002)]
    learners = [user.pk for user in User.objects.bulk_create(bin_of_all)] + make_learners(BINS)
    hold_back(site, learners)
    found = compare(scope_of(site), NOW, FakeHost(progress=did(learners)))
    assert found.held_back_count == 20_002
    assert found.notes == ("Of 20,025 learners who were held back, a sample of 20,002 is compared.",)


def test_days_on_which_nobody_started_are_said_to_have_nobody(site):
    found = compare(scope_of(site), NOW, FakeHost())
    assert (found.scheduled_count, found.held_back_count, found.effects) == (0, 0, ())
    assert found.notes == ("No learner of these days can be compared.",)


def test_nobody_has_no_rate():
    assert Share(count=0, of=0).rate is None


# Interpretations -----------------------------------------------------------------------------------------


def interpretation_of(site, scheduled, held_back, deed="came_back"):
    """What is said of these groups, each as (who did it, of how many)."""
    progress = []
    for (done_count, of), put in ((scheduled, schedule), (held_back, lambda ids: hold_back(site, ids))):
        learners = put(make_learners(of))
        progress += [*did(learners[:done_count], deed), *did(learners[done_count:])]
    found = compare(scope_of(site), NOW, FakeHost(progress=progress))
    return {effect.key: effect for effect in found.effects}[deed]


def test_a_group_that_is_too_small_says_nothing(site):
    effect = interpretation_of(site, (600, 1000), (29, 29))
    assert effect.difference == pytest.approx(-0.4)
    assert effect.interpretation == (
        "Too little data to say anything: each group needs 30 learners or more (scheduled: 1,000, held back: 29)."
    )


def test_a_group_of_nobody_has_no_difference(site):
    effect = interpretation_of(site, (20, 40), (0, 0))
    assert (effect.difference, effect.low, effect.high) == (None, None, None)
    assert "each group needs 30 learners or more (scheduled: 40, held back: 0)." in effect.interpretation


@pytest.mark.parametrize(
    ("mine", "others", "said"),
    [
        ((1, 30), (0, 30), "1 learner of both groups together did it, and 5 are needed."),
        ((4, 30), (0, 30), "4 learners of both groups together did it, and 5 are needed."),
        ((30, 30), (29, 30), "1 learner of both groups together did not do it, and 5 are needed."),
        ((28, 30), (28, 30), "4 learners of both groups together did not do it, and 5 are needed."),
    ],
)
def test_few_who_did_it_or_did_not_say_nothing(site, mine, others, said):
    assert interpretation_of(site, mine, others).interpretation == f"Too little data to say anything: {said}"


def test_just_enough_is_enough(site):
    assert "Too little" not in interpretation_of(site, (3, 30), (2, 30)).interpretation


def test_an_interval_with_0_shows_no_difference(site):
    effect = interpretation_of(site, (30, 100), (25, 100))
    assert effect.low < 0 < effect.high
    assert effect.interpretation == (
        "The numbers do not show a difference; the true one may lie between −7.3 and 17.1 percentage points."
    )


@pytest.mark.parametrize("deed", DEEDS)
def test_messages_that_do_harm_are_said_to(site, deed):
    interpretation = interpretation_of(site, (10, 100), (40, 100), deed).interpretation
    words = {"came_back": "came back", "upgraded": "upgraded", "completed": "completed the course"}
    assert interpretation.startswith(f"Of 100 scheduled learners, 30.0 fewer {words[deed]} than of 100 held back; ")
    assert "between 18.3 and 40.8 with 95% confidence" in interpretation


def test_numbers_are_written_as_the_reader_writes_them(site):
    with translation.override("de"):
        effect = interpretation_of(site, (30, 100), (25, 100))
    assert "−7,3" in effect.interpretation
    assert "17,1" in effect.interpretation
