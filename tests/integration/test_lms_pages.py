"""The embedded LMS's pages say what is, change nothing when looked at, and tell learners apart."""

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.urls import reverse

from schedules.contrib.lms.models import Course, CourseEmailOptout, CourseEnrollment, CourseMode, Section
from tests.world import enroll, make_course, make_learner, started

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client):
    client.force_login(User.objects.create_superuser("staff"))
    return client


@pytest.mark.parametrize("course_id", ["garden", "course-v1:No+Such+Course", "course-v1:No%2BSuch%2BCourse"])
@pytest.mark.parametrize("page", ["", "upgrade", "email"])
def test_a_course_that_is_not_there_is_named_in_a_sentence(client, alice, course_id, page):
    answer = client.get(f"/courses/{course_id}/{page}")
    assert answer.status_code == 404
    assert f"There is no course {course_id.replace('%2B', '+')}." in answer.content.decode()


def test_weeks_are_counted_as_the_messages_count_them(client, alice):
    garden = make_course(weeks=[["one"], [], ["three"], ["four"], ["five"]])
    garden.sections.filter(position=3).update(hide_from_toc=True)
    garden.sections.filter(position=4).update(visible_to_staff_only=True)
    page = client.get(garden.get_absolute_url()).content.decode()
    assert [page.count(f"Week {number}<") for number in (1, 2, 3)] == [1, 1, 0]
    places = [page.index(text) for text in ("Week 1<", ">one<", ">Section 2<", "Week 2<", ">five<")]
    assert places == sorted(places)


@pytest.mark.parametrize("highlights", [7, "Dig", {"a": 1}, [7, "Dig"]])
def test_highlights_that_a_script_spoiled_do_not_break_the_page(client, alice, highlights):
    garden = make_course(weeks=[["x"]])
    Section.objects.update(highlights=highlights)
    page = client.get(garden.get_absolute_url()).content.decode()
    assert "Section 1" in page
    assert ">7<" not in page


def test_staff_see_what_is_for_staff_only(staff):
    garden = make_course(weeks=[["one"]])
    Section.objects.update(visible_to_staff_only=True)
    page = staff.get(garden.get_absolute_url()).content.decode()
    assert "one" in page
    assert "Week 1" not in page


def test_what_authors_write_is_shown_as_text(client, alice):
    garden = make_course("Bees <b>& Wasps", weeks=[["<script>alert(1)</script>"]])
    page = client.get(garden.get_absolute_url()).content.decode()
    assert "<script>" not in page
    assert "Bees &lt;b&gt;&amp; Wasps" in page


def test_the_dashboard_says_where_e_mail_is_wanted_and_what_can_be_upgraded(client, alice):
    garden, maps = make_course("Garden", price=49), make_course("Maps", price=49)
    CourseMode.objects.filter(course=maps).update(expiration_datetime=started(1))
    enroll(alice, garden)
    enroll(alice, maps)
    CourseEmailOptout.objects.create(user=alice, course=maps)
    CourseEmailOptout.objects.create(user=make_learner("bola"), course=garden)
    above, _, below = client.get("/dashboard").content.decode().partition(">Maps<")
    assert ("You get e-mail" in above, "Upgrade in Garden" in above) == (True, True)
    assert ("You get no e-mail" in below, "Upgrade in Maps" in below) == (True, False)


def test_the_dashboard_asks_as_often_for_many_courses(client, alice, django_assert_num_queries):
    for _ in range(10):
        enroll(alice, make_course(price=49))
    with django_assert_num_queries(6):  # session, learner, enrollments, opt-outs, those of `schedules`, modes
        client.get("/dashboard")


def test_who_is_not_enrolled_is_offered_to_enroll_and_cannot_upgrade(client, alice):
    garden = make_course(price=49)
    assert "You are not enrolled in this course." in client.get(garden.get_absolute_url()).content.decode()
    assert "Enroll in the course first." in client.post(f"/courses/{garden.pk}/upgrade").content.decode()
    assert not CourseEnrollment.objects.exists()


def test_a_learner_changes_nobody_elses_wish(client, alice):
    garden = make_course()
    CourseEmailOptout.objects.create(user=make_learner("bola"), course=garden)
    client.post(f"/courses/{garden.pk}/email", {"wants_email": "yes"})
    assert CourseEmailOptout.objects.get().user.username == "bola"


def test_a_post_that_says_nothing_changes_the_wish_over(client, alice):
    path = f"/courses/{make_course().pk}/email"
    client.post(path)
    assert CourseEmailOptout.objects.filter(user=alice).exists()
    client.post(path)
    assert not CourseEmailOptout.objects.exists()


def test_a_wrong_password_is_said_and_a_right_one_leads_on(client):
    bola = make_learner("bola")
    bola.set_password("open sesame")
    bola.save()
    page = client.post("/login", {"username": "bola", "password": "no"}).content.decode()
    assert 'role="alert"' in page
    path = make_course().get_absolute_url()
    answer = client.post("/login", {"username": "bola", "password": "open sesame", "next": path})
    assert (answer.status_code, answer["Location"]) == (302, path)


def test_pages_say_their_language_and_direction(client, alice):
    page = client.get("/dashboard", headers={"accept-language": "he"}).content.decode()
    assert '<html lang="he" dir="rtl">' in page


def test_a_course_without_an_id_is_refused():
    with pytest.raises(ValidationError, match="The course has no id; give one such as course-v1:"):
        Course(display_name="Garden").save()


def test_an_address_without_a_course_id_leads_back_in_the_admin(staff):
    assert staff.get("/admin/schedules_lms/course/garden/change/").status_code == 302


def test_staff_enroll_a_learner(staff):
    garden = make_course()
    form = {"user": make_learner().pk, "course": garden.pk, "mode": "audit", "is_active": "on"}
    staff.post(
        reverse("admin:schedules_lms_courseenrollment_add"), {**form, "created_0": "2026-03-09", "created_1": "12:00"}
    )
    assert CourseEnrollment.objects.get().course == garden


def test_a_section_that_a_script_spoiled_can_be_corrected_in_the_admin(staff):
    garden = make_course(weeks=[["x"]])
    Section.objects.update(highlights=[7, "Dig"])
    page = staff.get(reverse("admin:schedules_lms_course_change", args=[garden.pk])).content.decode()
    assert "7\nDig</textarea>" in page
