"""What becomes of learners in the embedded LMS: when they came, upgraded and finished, and what its host says of it."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format

from schedules import signals
from schedules.contrib.lms.host import LmsHost
from schedules.contrib.lms.models import CourseEnrollment
from schedules.host import LearnerProgress
from tests.world import enroll, make_course, make_learner, started

pytestmark = pytest.mark.django_db


@pytest.fixture
def garden():
    return make_course(price=49)


def stored(enrollment):
    return CourseEnrollment.objects.get(pk=enrollment.pk)


# Coming -------------------------------------------------------------------------------------------


def test_opening_the_course_is_kept(client, alice, garden):
    mine, others = enroll(alice, garden), enroll(make_learner("bola"), garden)
    before = timezone.now()
    client.get(garden.get_absolute_url())
    assert before <= stored(mine).last_active_at <= timezone.now()
    assert stored(others).last_active_at is None


def test_a_learner_who_turns_pages_costs_one_write_an_hour(client, alice, garden, django_assert_num_queries):
    mine = enroll(alice, garden)
    with django_assert_num_queries(7):  # session, learner, course, enrollment, the write, mode, sections
        client.get(garden.get_absolute_url())
    first = stored(mine).last_active_at
    with django_assert_num_queries(6):
        client.get(garden.get_absolute_url())
    assert stored(mine).last_active_at == first


def test_after_an_hour_it_is_kept_anew(client, alice, garden):
    mine = enroll(alice, garden, last_active_at=timezone.now() - timedelta(hours=1))
    client.get(garden.get_absolute_url())
    assert stored(mine).last_active_at > timezone.now() - timedelta(minutes=5)


def test_of_two_pages_opened_at_once_one_writes(alice, garden, django_assert_num_queries):
    mine = enroll(alice, garden)
    first, second = stored(mine), stored(mine)
    first.note_visit(started(1))
    second.note_visit(started(1, hour=13) - timedelta(minutes=1))
    assert stored(mine).last_active_at == started(1)


def test_a_visit_is_no_news_to_schedules_and_writes_no_other_field(client, alice, garden):
    mine = enroll(alice, garden)
    old = stored(mine)
    CourseEnrollment.objects.filter(pk=mine.pk).update(mode="honor")
    heard = []

    def listen(**said):
        heard.append(said)

    signals.learner_enrolled.connect(listen)
    old.note_visit(started(0))
    signals.learner_enrolled.disconnect(listen)
    assert (stored(mine).mode, heard) == ("honor", [])


def test_a_visit_to_a_row_that_is_gone_does_no_harm(alice, garden):
    mine = enroll(alice, garden)
    gone = stored(mine)
    mine.delete()
    gone.note_visit(started(0))
    assert not CourseEnrollment.objects.exists()


def test_who_only_looks_at_a_course_has_no_progress_there(client, alice, garden):
    left = enroll(alice, garden, is_active=False)
    client.get(garden.get_absolute_url())
    assert stored(left).last_active_at is None


# Upgrading ----------------------------------------------------------------------------------------


def test_upgrading_by_the_page_is_kept(client, alice, garden):
    mine = enroll(alice, garden)
    client.post(reverse("schedules_lms:upgrade", args=[garden.pk]))
    since = stored(mine).upgraded_at
    assert since > timezone.now() - timedelta(minutes=5)
    client.post(reverse("schedules_lms:upgrade", args=[garden.pk]))
    assert stored(mine).upgraded_at == since


def test_upgrading_in_the_admin_is_kept_and_shown_and_cannot_be_written_there(client, garden):
    client.force_login(User.objects.create_superuser("staff"))
    mine = enroll(make_learner(), garden, last_active_at=started(1), completed_at=started(1))
    path = reverse("admin:schedules_lms_courseenrollment_change", args=[mine.pk])
    form = {"user": mine.user_id, "course": garden.pk, "mode": "verified", "is_active": "on"}
    instants = {f"{name}_{part}": "" for name in ("last_active_at", "upgraded_at", "completed_at") for part in (0, 1)}
    client.post(path, {**form, **instants, "created_0": "2026-03-01", "created_1": "12:00"})
    assert stored(mine).upgraded_at > timezone.now() - timedelta(minutes=5)
    assert (stored(mine).last_active_at, stored(mine).completed_at) == (started(1), started(1))
    page = client.get(path).content.decode()
    assert page.count("March 8, 2026, noon") == 2
    assert 'name="upgraded_at' not in page


def test_who_enrolls_with_a_certificate_has_it_since_then(alice, garden):
    assert enroll(alice, garden, days_ago=3, mode="verified").upgraded_at == started(3)


def test_the_time_is_stored_when_only_the_mode_is_saved(alice, garden):
    mine = enroll(alice, garden)
    mine.mode = "verified"
    mine.save(update_fields=["mode"])
    assert stored(mine).upgraded_at is not None


def test_saving_other_fields_leaves_the_time_alone(alice, garden):
    mine = enroll(alice, garden)
    mine.mode = "verified"
    mine.save(update_fields=["is_active"])
    assert (stored(mine).mode, stored(mine).upgraded_at) == ("audit", None)


def test_a_time_that_is_given_is_kept(alice, garden):
    mine = enroll(alice, garden)
    mine.mode, mine.upgraded_at = "verified", started(2)
    mine.save()
    mine.is_active = False
    mine.save()
    assert stored(mine).upgraded_at == started(2)


def test_who_gives_the_certificate_back_has_not_upgraded(alice, garden):
    mine = enroll(alice, garden, mode="verified")
    mine.mode = "audit"
    mine.save()
    assert stored(mine).upgraded_at is None


# Finishing ----------------------------------------------------------------------------------------


def test_a_learner_says_that_they_have_finished_once(client, alice, garden):
    mine, others = enroll(alice, garden), enroll(make_learner("bola"), garden)
    assert "I have finished this course" in client.get(garden.get_absolute_url()).content.decode()
    path = reverse("schedules_lms:completion", args=[garden.pk])
    page = client.post(path, follow=True).content.decode()
    assert "Well done! You have finished this course." in page
    since = stored(mine).completed_at
    assert since > timezone.now() - timedelta(minutes=5)
    assert f"You finished this course on {date_format(since)}." in page
    assert "I have finished this course" not in page
    again = client.post(path, follow=True).content.decode()
    assert "Well done!" not in again
    assert stored(mine).completed_at == since
    assert stored(others).completed_at is None


@pytest.mark.parametrize("is_enrolled", [True, False])
def test_who_is_not_in_the_course_cannot_finish_it(client, alice, garden, is_enrolled):
    if is_enrolled:
        enroll(alice, garden, is_active=False)
    assert "I have finished" not in client.get(garden.get_absolute_url()).content.decode()
    assert "Well done!" not in client.post(f"/courses/{garden.pk}/completion", follow=True).content.decode()
    assert not CourseEnrollment.objects.exclude(completed_at=None).exists()


def test_finishing_needs_a_post_a_learner_and_a_token(alice, garden):
    mine = enroll(alice, garden)
    path = f"/courses/{garden.pk}/completion"
    careful = Client(enforce_csrf_checks=True)
    assert careful.post(path).status_code == 403
    stranger = Client()
    assert stranger.post(path)["Location"].startswith("/login")
    stranger.force_login(alice)
    assert stranger.get(path).status_code == 405
    assert stored(mine).completed_at is None


# What the host says -------------------------------------------------------------------------------


def test_the_host_tells_what_became_of_a_learner_who_left_too(alice, garden):
    facts = {"last_active_at": started(2), "upgraded_at": started(1), "completed_at": started(0)}
    enroll(alice, garden, is_active=False, **facts)
    key = (alice.pk, str(garden.pk))
    assert LmsHost().progress([key]) == {key: LearnerProgress(user_id=alice.pk, course_id=key[1], **facts)}


def test_who_did_nothing_is_known_to_have_done_nothing(alice, garden):
    enroll(alice, garden)
    key = (alice.pk, str(garden.pk))
    assert LmsHost().progress([key]) == {key: LearnerProgress(user_id=alice.pk, course_id=key[1])}
