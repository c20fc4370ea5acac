"""The admin of schedules and of the control group."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.contrib.sites.models import Site
from django.urls import reverse

from schedules.models import HoldBack, Schedule, ScheduleExperience
from schedules.values.data import ExperienceType
from tests.integration.admin_fakes import BOTANY, CHESS, DANCE, UNKNOWN, MeadowHost, count_queries, day

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.integration.admin_urls")]

LIST = "admin:schedules_schedule_changelist"
DEFAULT, UPDATES = ExperienceType.DEFAULT.value, ExperienceType.COURSE_UPDATES.value


@pytest.fixture(autouse=True)
def host(settings):
    settings.SCHEDULES = {"HOST": "tests.integration.admin_fakes.MeadowHost"}
    MeadowHost.questions.clear()


def learner(name):
    return User.objects.get_or_create(username=name)[0]


def schedule(name, course_id=BOTANY, experience=DEFAULT, start=None, deadline=None):
    row = Schedule.objects.create(
        user=learner(name), course_id=course_id, org="Meadow", start_date=start or day(3, 12), upgrade_deadline=deadline
    )
    if experience is not None:
        ScheduleExperience.objects.create(schedule=row, experience_type=experience)
    return row


def listed(client, url=LIST, **query):
    return set(client.get(reverse(url), query).context["cl"].result_list)


def run_action(client, action, rows, **query):
    url = reverse(LIST, query=query)
    return client.post(url, {"action": action, "_selected_action": [row.pk for row in rows], "index": 0}, follow=True)


def test_the_list_shows_who_where_when_and_which_e_mails(admin_client):
    schedule("alice", deadline=day(4, 2), experience=UPDATES)
    schedule("bob", experience=None)

    text = admin_client.get(reverse(LIST)).text

    assert "alice" in text
    assert "March 12, 2026" in text
    assert "April 2, 2026" in text
    assert "Course Updates" in text
    assert "not set: counts as the default" in text
    assert MeadowHost.questions == []


def test_search_finds_by_the_start_of_a_username_and_by_a_whole_course_id(admin_client):
    alice, alicia, bob = schedule("alice"), schedule("alicia"), schedule("bob", DANCE)

    assert listed(admin_client, q=" ali ") == {alice, alicia}
    assert listed(admin_client, q="lice") == set()
    assert listed(admin_client, q=DANCE) == {bob}
    assert listed(admin_client, q="  ") == {alice, alicia, bob}


def test_the_list_is_filtered_by_course(admin_client):
    schedule("alice")
    bob = schedule("bob", DANCE)

    assert listed(admin_client, course_id=DANCE) == {bob}


def test_a_schedule_without_an_experience_counts_as_the_default_in_the_filter(admin_client):
    alice, bob, carol = schedule("alice"), schedule("bob", experience=UPDATES), schedule("carol", experience=None)

    assert listed(admin_client, experience=DEFAULT) == {alice, carol}
    assert listed(admin_client, experience=UPDATES) == {bob}
    assert listed(admin_client, experience="9") == {alice, bob, carol}


@pytest.mark.parametrize(
    "problem",
    ["start-before-course", "deadline-before-start", "no-experience", "unknown-course", "not-self-paced"],
)
def test_each_known_problem_lists_the_schedules_that_have_it_and_no_others(admin_client, problem):
    schedule("fine", deadline=day(4, 2))
    schedule("fine", DANCE, start=day(3, 5))  # before Botany's start, after its own course's
    with_problem = {
        "start-before-course": schedule("alice", start=day(3, 9)),
        "deadline-before-start": schedule("bob", deadline=day(3, 11)),
        "no-experience": schedule("carol", experience=None),
        "unknown-course": schedule("dan", UNKNOWN),
        "not-self-paced": schedule("erin", CHESS),
    }

    assert listed(admin_client, problem=problem) == {with_problem[problem]}


def test_the_host_is_asked_once_about_all_courses_in_the_list_and_only_when_it_has_to_be(admin_client):
    schedule("alice")
    schedule("bob")
    schedule("bob", UNKNOWN)
    schedule("erin", CHESS, experience=None)

    listed(admin_client, problem="no-experience")
    assert MeadowHost.questions == []
    listed(admin_client, problem="unknown-course")
    assert MeadowHost.questions == [sorted([BOTANY, UNKNOWN, CHESS])]


def test_problems_combine_with_the_other_filters(admin_client):
    early = schedule("alice", start=day(3, 2), experience=UPDATES)
    schedule("bob", start=day(3, 2))

    assert listed(admin_client, problem="start-before-course", experience=UPDATES) == {early}
    assert listed(admin_client, problem="start-before-course", course_id=DANCE) == set()


@pytest.mark.slow
def test_starts_are_compared_over_thousands_of_courses(admin_client, settings):
    settings.SCHEDULES = {"HOST": "tests.integration.admin_fakes.ManyCoursesHost"}
    alice = learner("alice")
    Schedule.objects.bulk_create(
        Schedule(user=alice, course_id=f"Meadow+{n}", org="Meadow", start_date=day(3, 9)) for n in range(3000)
    )

    page = admin_client.get(reverse(LIST), {"problem": "start-before-course"})

    assert page.context["cl"].result_count == 3000


def test_a_host_that_does_not_answer_is_said_and_nothing_is_listed(admin_client, settings):
    settings.SCHEDULES = {"HOST": "tests.integration.admin_fakes.SilentHost"}
    schedule("alice", UNKNOWN)

    response = admin_client.get(reverse(LIST), {"problem": "unknown-course"})

    assert list(response.context["cl"].result_list) == []
    assert "The LMS did not answer" in response.text


def test_a_bulk_change_sets_the_experience_creates_missing_rows_and_says_how_many(admin_client, admin_user):
    alice, bob, carol = schedule("alice"), schedule("bob", experience=None), schedule("carol", experience=UPDATES)
    untouched = schedule("dan")

    response = run_action(admin_client, "change_to_course_updates", [alice, bob, carol])

    assert "2 schedules changed to Course Updates." in response.text
    assert "1 schedule was at Course Updates already." in response.text
    types = dict(ScheduleExperience.objects.values_list("schedule_id", "experience_type"))
    assert types == {alice.pk: UPDATES, bob.pk: UPDATES, carol.pk: UPDATES, untouched.pk: DEFAULT}
    entries = LogEntry.objects.filter(user=admin_user)
    assert {entry.object_id for entry in entries} == {str(alice.pk), str(bob.pk)}
    assert {entry.get_change_message() for entry in entries} == {"Changed experience to Course Updates."}


def test_a_bulk_change_back_to_the_default_gives_every_schedule_its_row(admin_client):
    bob, carol = schedule("bob", experience=None), schedule("carol", experience=UPDATES)

    run_action(admin_client, "change_to_default", [bob, carol])

    assert set(ScheduleExperience.objects.values_list("schedule_id", "experience_type")) == {
        (bob.pk, DEFAULT),
        (carol.pk, DEFAULT),
    }


def test_a_bulk_change_reaches_what_the_list_was_filtered_by(admin_client):
    carol = schedule("carol", experience=UPDATES)

    run_action(admin_client, "change_to_default", [carol], experience=UPDATES)

    assert ScheduleExperience.objects.get().experience_type == DEFAULT


def test_a_bulk_change_of_thousands_takes_a_few_queries_per_five_hundred(admin_client, django_assert_max_num_queries):
    Schedule.objects.bulk_create(
        Schedule(user=learner("alice"), course_id=f"Meadow+{n}", org="Meadow", start_date=day(3, 9))
        for n in range(1200)
    )
    data = {"action": "change_to_course_updates", "_selected_action": [1], "select_across": "1", "index": 0}

    with django_assert_max_num_queries(60):
        admin_client.post(reverse(LIST), data)

    assert ScheduleExperience.objects.filter(experience_type=UPDATES).count() == 1200


def test_staff_who_may_only_look_cannot_change_in_bulk(client):
    victor = User.objects.create_user("victor", is_staff=True)
    victor.user_permissions.add(Permission.objects.get(codename="view_schedule"))
    client.force_login(victor)
    carol = schedule("carol", experience=UPDATES)

    run_action(client, "change_to_default", [carol])

    assert ScheduleExperience.objects.get().experience_type == UPDATES


def test_a_schedule_is_added_by_hand_with_its_experience(admin_client):
    response = admin_client.post(
        reverse("admin:schedules_schedule_add"),
        {
            "user": learner("alice").pk,
            "course_id": f" {BOTANY} ",
            "org": "Meadow",
            "start_date_0": "2026-03-12",
            "start_date_1": "09:30",
            "experience-TOTAL_FORMS": 1,
            "experience-INITIAL_FORMS": 0,
            "experience-0-experience_type": DEFAULT,
        },
    )

    assert response.status_code == 302
    assert Schedule.objects.get().course_id == BOTANY
    assert ScheduleExperience.objects.get().schedule == Schedule.objects.get()


def test_a_schedules_learner_and_course_stay_while_its_dates_are_corrected(admin_client):
    row = schedule("alice", start=day(3, 2))
    url = reverse("admin:schedules_schedule_change", args=[row.pk])

    page = admin_client.get(url)
    assert {"user", "course_id"}.isdisjoint(page.context["adminform"].form.fields)
    admin_client.post(
        url,
        {
            "org": "Meadow",
            "start_date_0": "2026-03-10",
            "start_date_1": "09:30",
            "experience-TOTAL_FORMS": 1,
            "experience-INITIAL_FORMS": 1,
            "experience-0-id": row.experience.pk,
            "experience-0-schedule": row.pk,
            "experience-0-experience_type": UPDATES,
        },
    )

    row = Schedule.objects.get()
    assert row.start_date == day(3, 10)
    assert row.experience.experience_type == UPDATES


def test_the_list_asks_the_database_as_often_for_fifty_schedules_as_for_one(admin_client):
    schedule("learner")
    for_one = count_queries(admin_client, LIST)
    for number in range(49):
        schedule(f"learner{number}", experience=None if number % 2 else UPDATES)

    assert count_queries(admin_client, LIST) == for_one
    assert len(listed(admin_client)) == 50


def hold_back(name, course_id=BOTANY):
    return HoldBack.objects.create(
        user=learner(name),
        course_id=course_id,
        site=Site.objects.get(),
        experience_type=DEFAULT,
        content_availability_date=day(3, 12),
    )


def test_the_control_group_can_be_searched_and_not_changed(admin_client):
    alice = hold_back("alice")
    hold_back("bob", DANCE)
    url = "admin:schedules_holdback_changelist"

    assert listed(admin_client, url, q="alice") == {alice}
    page = admin_client.get(reverse("admin:schedules_holdback_change", args=[alice.pk]))
    assert page.status_code == 200
    assert 'name="_save"' not in page.text
    assert admin_client.get(reverse("admin:schedules_holdback_add")).status_code == 403
    assert admin_client.post(reverse("admin:schedules_holdback_delete", args=[alice.pk])).status_code == 403


def test_the_control_group_takes_the_same_queries_for_fifty_as_for_one(admin_client):
    url = "admin:schedules_holdback_changelist"
    hold_back("learner")
    for_one = count_queries(admin_client, url)
    for number in range(49):
        hold_back(f"learner{number}")

    assert count_queries(admin_client, url) == for_one
