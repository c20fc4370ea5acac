"""The embedded LMS: what it refuses, what its admin edits, and the pages that links lead to."""

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.urls import reverse

from schedules import signals
from schedules.contrib.lms.host import LmsHost
from schedules.contrib.lms.models import (
    Course,
    CourseEmailOptout,
    CourseEnrollment,
    CourseMode,
    Section,
    SiteConfiguration,
)
from tests.world import enroll, make_course, make_learner, open_site, started

pytestmark = pytest.mark.django_db


@pytest.fixture
def heard():
    """What the LMS says, as (signal, arguments)."""
    said = []
    listeners = []
    for name in ("learner_enrolled", "course_changed"):

        def listen(name=name, **arguments):
            said.append((name, {key: arguments[key] for key in arguments if key not in ("signal", "sender")}))

        getattr(signals, name).connect(listen, weak=False)
        listeners.append((getattr(signals, name), listen))
    yield said
    for signal, listen in listeners:
        signal.disconnect(listen)


@pytest.mark.parametrize("highlights", [["fine", 7], [None], "text", {"a": 1}])
def test_highlights_that_are_not_text_are_refused_when_saved(highlights):
    section = Section(course=make_course(), display_name="Soil", highlights=highlights)
    with pytest.raises(ValidationError, match=r"not text; write it as text|give a list of texts"):
        section.save()
    assert not Section.objects.exists()


def test_blanks_around_highlights_and_empty_ones_are_dropped():
    section = Section.objects.create(course=make_course(), display_name="Soil", highlights=[" dig ", "", " "])
    section.refresh_from_db()
    assert section.highlights == ["dig"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["a"], r"The values are \['a'\]; give a mapping"),
        ("text", "The values are 'text'; give a mapping"),
        ({"course_org_filter": 5}, "course_org_filter is 5; give an organization or a list"),
        ({"course_org_filter": ["a", 5]}, "give an organization or a list"),
        (
            {"logo_url": "javascript:alert(1)"},
            r"logo_url is 'javascript:alert\(1\)'; give a path on the site, or a URL",
        ),
        ({"SOCIAL_MEDIA_FOOTER_URLS": {"x": 5}}, r"SOCIAL_MEDIA_FOOTER_URLS\['x'\] is 5; give names, each with a path"),
    ],
)
def test_an_unusable_site_configuration_is_refused_when_saved(values, said):
    with pytest.raises(ValidationError, match=said):
        SiteConfiguration.objects.create(site=open_site(), enabled=True, site_values=values)


@pytest.mark.parametrize("orgs", ["MeadowX", ["MeadowX", "RiverX"], [], None])
def test_a_filter_of_one_or_more_organizations_is_kept(orgs):
    SiteConfiguration.objects.create(site=open_site(), enabled=True, site_values={"course_org_filter": orgs})


def test_a_course_takes_its_organization_from_its_id():
    assert make_course(org="MeadowX").org == "MeadowX"
    course = Course.objects.create(id=make_course(org="RiverX").pk.replace(run="r2"), display_name="Maps")
    assert course.org == "RiverX"


def test_it_says_when_a_learner_enrolls_and_enrolls_again(heard):
    alice, garden = make_learner(), make_course()
    enrollment = enroll(alice, garden, days_ago=3)
    assert heard.pop() == (
        "learner_enrolled",
        {"user_id": alice.pk, "course_id": str(garden.pk), "enrolled_at": started(3), "site_id": None},
    )
    enrollment.mode = "honor"
    enrollment.save()
    enrollment.is_active = False
    enrollment.save()
    assert heard == []
    enrollment.is_active = True
    enrollment.save()
    ((_, arguments),) = heard
    assert arguments["enrolled_at"] > started(3)


def test_an_inactive_enrollment_says_nothing(heard):
    enroll(make_learner(), make_course(), is_active=False)
    assert heard == []


def test_it_says_what_changed_about_a_course(heard):
    garden = make_course()
    garden.display_name = "New name"
    garden.save()
    assert heard == []
    garden.start, garden.self_paced = started(1), False
    garden.save()
    assert heard.pop() == ("course_changed", {"course_id": str(garden.pk), "facts": {"start", "pacing"}})
    mode = CourseMode.objects.create(course=garden, mode_slug="verified")
    mode.expiration_datetime = started(-50)
    mode.save()
    mode.min_price = 3
    mode.save()
    mode.delete()
    CourseMode.objects.create(course=garden, mode_slug="honor")
    assert heard == [("course_changed", {"course_id": str(garden.pk), "facts": {"verified_mode"}})] * 3


def test_deleting_a_course_says_nothing_that_breaks(heard):
    garden = make_course(price=49)
    enroll(make_learner(), garden)
    garden.delete()
    assert not CourseEnrollment.objects.exists()


# The admin ---------------------------------------------------------------------------------------


@pytest.fixture
def staff(client):
    client.force_login(User.objects.create_superuser("staff"))
    return client


def inline(prefix, rows):
    forms = {f"{prefix}-{number}-{key}": value for number, row in enumerate(rows) for key, value in row.items()}
    return {f"{prefix}-TOTAL_FORMS": len(rows), f"{prefix}-INITIAL_FORMS": 0, **forms}


def course_form(**fields):
    return {"id": "course-v1:MeadowX+G+1", "display_name": "Garden", "self_paced": "on", **fields}


def test_authors_write_highlights_one_on_each_line(staff):
    sections = [{"position": 1, "display_name": "Soil", "highlights": "Dig\r\n\r\n  Feed  "}]
    modes = [{"mode_slug": "verified", "min_price": 49, "currency": "usd"}]
    answer = staff.post(
        reverse("admin:schedules_lms_course_add"),
        {**course_form(), **inline("sections", sections), **inline("modes", modes)},
    )
    assert answer.status_code == 302, answer.context["errors"]
    assert Section.objects.get().highlights == ["Dig", "Feed"]
    assert CourseMode.objects.get().min_price == 49
    page = staff.get(reverse("admin:schedules_lms_course_change", args=[Course.objects.get().pk])).content.decode()
    assert "Dig\nFeed</textarea>" in page


def test_an_id_that_is_none_is_refused_in_the_form(staff):
    answer = staff.post(
        reverse("admin:schedules_lms_course_add"),
        {**course_form(id="garden"), **inline("sections", []), **inline("modes", [])},
    )
    assert "garden is no course id; write it like course-v1:" in answer.content.decode()


@pytest.mark.parametrize("values", ["[1]", '{"course_org_filter": 5}'])
def test_an_unusable_site_configuration_is_refused_in_the_form(staff, values):
    answer = staff.post(
        reverse("admin:schedules_lms_siteconfiguration_add"), {"site": open_site().pk, "site_values": values}
    )
    assert "give a" in str(answer.context["errors"])
    assert not SiteConfiguration.objects.exists()


@pytest.mark.parametrize(
    "name", ["course", "courseenrollment", "siteconfiguration", "courseemailoptout", "learnerprofile"]
)
def test_every_list_opens_and_asks_as_often_for_many_rows(staff, name, django_assert_max_num_queries):
    for number in range(30):
        learner, course = make_learner(f"learner{number}"), make_course()
        enroll(learner, course)
        CourseEmailOptout.objects.create(user=learner, course=course)
    with django_assert_max_num_queries(10):
        assert staff.get(reverse(f"admin:schedules_lms_{name}_changelist")).status_code == 200


def test_enrollments_are_found_by_username(staff):
    for name in ("alice", "bob"):
        enroll(make_learner(name), make_course())
    page = staff.get(reverse("admin:schedules_lms_courseenrollment_changelist"), {"q": "alice"}).content.decode()
    assert "alice" in page
    assert "bob" not in page


# The pages ---------------------------------------------------------------------------------------


@pytest.fixture
def alice(client):
    learner = make_learner()
    client.force_login(learner)
    return learner


PAGES = ["course", "upgrade", "email"]


@pytest.mark.parametrize("page", PAGES)
def test_pages_ask_to_sign_in(client, page):
    answer = client.get(reverse(f"schedules_lms:{page}", args=[make_course().pk]))
    assert answer.status_code == 302
    assert answer["Location"].startswith("/login?next=/courses/course-v1")
    assert client.get(answer["Location"]).status_code == 200


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(("course_id", "status"), [("course-v1:No+Such+Course", 404), ("nonsense", 404)])
def test_a_course_that_is_not_there_is_not_found(client, alice, page, course_id, status):
    path = reverse("schedules_lms:course", args=["course-v1:a+b+c"]).replace("course-v1:a+b+c", course_id)
    suffix = "" if page == "course" else page
    assert client.get(path + suffix).status_code == status


def test_encoded_and_plain_links_lead_to_the_course(client, alice):
    garden = make_course("Garden", weeks=[["Dig"]])
    plain = f"/courses/{garden.pk}/"
    for path in (plain, plain.replace("+", "%2B")):
        page = client.get(path)
        assert page.status_code == 200
        assert "Dig" in page.content.decode()


def test_the_dashboard_lists_the_learners_courses(client, alice):
    enroll(alice, make_course("Garden"))
    enroll(alice, make_course("Left"), is_active=False)
    page = client.get("/dashboard").content.decode()
    assert "Garden" in page
    assert "Left" not in page
    assert client.get("/").status_code == 302


def test_sections_for_staff_and_hidden_ones_are_not_shown(client, alice):
    garden = make_course(weeks=[["one"], ["two"], ["three"]])
    garden.sections.filter(position=2).update(hide_from_toc=True)
    garden.sections.filter(position=3).update(visible_to_staff_only=True)
    page = client.get(f"/courses/{garden.pk}/").content.decode()
    assert [text in page for text in ("one", "two", "three")] == [True, False, False]


def test_a_learner_enrolls_leaves_and_comes_back(client, alice):
    garden = make_course()
    path = reverse("schedules_lms:enrollment", args=[garden.pk])
    for is_active in ("yes", "no", "yes"):
        client.post(path, {"is_active": is_active})
        assert CourseEnrollment.objects.get().is_active == (is_active == "yes")
    assert client.get(path).status_code == 405


def test_looking_at_the_upgrade_changes_nothing_and_posting_upgrades(client, alice):
    garden = make_course(price=49)
    enroll(alice, garden)
    path = reverse("schedules_lms:upgrade", args=[garden.pk])
    assert "49 USD" in client.get(path).content.decode()
    assert CourseEnrollment.objects.get().mode == "audit"
    client.post(path)
    assert CourseEnrollment.objects.get().mode == "verified"
    assert "You have upgraded already" in client.get(path).content.decode()


@pytest.mark.parametrize("is_sold", [True, False])
def test_there_may_be_nothing_to_upgrade(client, alice, is_sold):
    garden = make_course(price=49 if is_sold else 0)
    CourseMode.objects.update(expiration_datetime=started(1))
    enroll(alice, garden)
    path = reverse("schedules_lms:upgrade", args=[garden.pk])
    assert "offers no verified certificate now" in client.post(path).content.decode()
    assert CourseEnrollment.objects.get().mode == "audit"


def test_a_learner_stops_the_emails_and_gets_them_again(client, alice):
    garden = make_course()
    path = reverse("schedules_lms:email", args=[garden.pk])
    client.get(path)
    assert not CourseEmailOptout.objects.exists()
    client.post(path, {"wants_email": "no"})
    client.post(path, {"wants_email": "no"})
    assert CourseEmailOptout.objects.get().user == alice
    client.post(path, {"wants_email": "yes"})
    assert not CourseEmailOptout.objects.exists()


def test_a_course_has_a_picture_on_the_web_or_none():
    garden = make_course(image_url="https://images.example.com/garden.jpg")
    assert LmsHost().courses([str(garden.pk)])[str(garden.pk)].image_url == "https://images.example.com/garden.jpg"
    maps = make_course("Maps")
    assert LmsHost().courses([str(maps.pk)])[str(maps.pk)].image_url is None
    for url in ("garden.jpg", "javascript:alert(1)", "file:///etc/passwd"):
        with pytest.raises(ValidationError, match="https://"):
            make_course("Steam", image_url=url)
