"""The embedded LMS answers for odd keys and odd rows too, and asks the database once."""

import pytest
from opaque_keys.edx.keys import CourseKey

from schedules.contrib.lms.host import LmsHost
from schedules.contrib.lms.models import Course, CourseEmailOptout, Section
from schedules.exceptions import HostError
from schedules.host import CourseLinks, Learner
from schedules.testing import HostContract
from tests.world import enroll, make_course, make_learner

pytestmark = pytest.mark.django_db

NO_IDS = [
    "",
    "garden",
    "course-v1:only+two",
    "course-v1:a+b+c\n",
    "course-v1:a+b+c\x00",
    "block-v1:a+b+c+type@x+block@y",
]


@pytest.mark.parametrize("no_id", NO_IDS)
def test_an_id_that_is_none_harms_no_other(no_id):
    alice, garden = make_learner(), make_course(price=49, weeks=[["Dig"]])
    enroll(alice, garden)
    CourseEmailOptout.objects.create(user=alice, course=garden)
    garden_id = str(garden.pk)
    for question in (LmsHost().courses, LmsHost().verified_modes, LmsHost().sections):
        assert set(question([no_id, garden_id])) == {garden_id}
    for question in (LmsHost().enrollments, LmsHost().opt_outs, LmsHost().course_links, LmsHost().progress):
        assert set(question([(alice.pk, no_id), (alice.pk, garden_id)])) == {(alice.pk, garden_id)}


def test_it_answers_for_the_very_id_that_was_asked():
    garden_id = str(make_course(number="GARDEN1", price=49).pk)
    others = [garden_id.lower(), f"{garden_id}+branch@draft", f"{garden_id}+version@519665f6223ebd6980884f2b"]
    for question in (LmsHost().courses, LmsHost().verified_modes):
        assert set(question([*others, garden_id])) == {garden_id}
    assert set(LmsHost().course_links([(1, each) for each in (*others, garden_id)])) == {(1, garden_id)}


def test_only_the_pairs_that_were_asked_for_are_answered():
    alice, bola, garden, maps = make_learner("alice"), make_learner("bola"), make_course(), make_course()
    for learner in (alice, bola):
        for course in (garden, maps):
            enroll(learner, course)
            CourseEmailOptout.objects.create(user=learner, course=course)
    keys = {(alice.pk, str(garden.pk)), (bola.pk, str(maps.pk))}
    assert set(LmsHost().enrollments(keys)) == keys
    assert set(LmsHost().opt_outs(keys)) == keys
    assert set(LmsHost().progress(keys)) == keys


def test_a_plus_in_a_link_is_encoded():
    garden_id = str(make_course(org="MeadowX", number="GARDEN1", price=49).pk)
    home = "/courses/course-v1:MeadowX%2BGARDEN1%2B2026/"
    assert LmsHost().course_links([(1, garden_id)]) == {
        (1, garden_id): CourseLinks(home=home, upgrade=f"{home}upgrade")
    }


def test_a_course_of_the_old_kind_has_links_that_lead_somewhere(client):
    Course.objects.create(id="MeadowX/GARDEN1/2014", display_name="A Garden in a Year")
    links = LmsHost().course_links([(1, "MeadowX/GARDEN1/2014")])[1, "MeadowX/GARDEN1/2014"]
    assert links == CourseLinks(home="/courses/MeadowX/GARDEN1/2014/")
    client.force_login(make_learner())
    for page in ("", "email", "upgrade"):
        assert client.get(links.home + page).status_code == 200


def test_a_learner_may_have_no_address_and_no_profile():
    dan = make_learner("dan", email="")
    dan.profile.delete()
    assert LmsHost().learners([dan.pk]) == {dan.pk: Learner(id=dan.pk, email="")}


def test_learners_that_are_not_active_are_told_as_such():
    dan = make_learner("dan", is_active=False, language="")
    assert LmsHost().learners([dan.pk])[dan.pk].is_active is False


def test_sections_come_in_course_order():
    garden = make_course(weeks=[["one"], ["two"]])
    Section.objects.create(course=garden, position=0, display_name="Welcome")
    sections = LmsHost().sections([str(garden.pk)])[str(garden.pk)]
    assert [section.name for section in sections] == ["Welcome", "Section 1", "Section 2"]


@pytest.mark.parametrize("highlights", [[7], "Dig", {"a": "b"}, 7])
def test_highlights_that_a_script_spoiled_are_refused_with_the_remedy(highlights):
    garden = make_course(weeks=[["Dig"]])
    Section.objects.update(highlights=highlights)
    with pytest.raises(HostError, match=r"(highlight|highlights) .*(edited|admin)"):
        LmsHost().sections([str(garden.pk)])


def test_an_empty_question_costs_no_query(django_assert_num_queries):
    host = LmsHost()
    questions = (host.courses, host.learners, host.enrollments, host.verified_modes, host.sections, host.opt_outs)
    with django_assert_num_queries(0):
        assert not any(question([]) for question in (*questions, host.course_links, host.progress))


def test_the_contract_finds_out_a_host_that_asks_for_each_key_alone():
    class AsksForEach(LmsHost):
        def courses(self, course_ids):
            return {key: value for each in course_ids for key, value in LmsHost.courses(self, [each]).items()}

    contract = HostContract()
    contract.host = AsksForEach()
    contract.user_id, contract.course_id = 1, str(make_course().pk)
    contract.more_keys = [(2, str(make_course().pk))]
    with pytest.raises(AssertionError, match="courses: 1 queries for 1 keys, 5 for 5; ask for all at once"):
        contract.test_many_keys_cost_no_more_queries_than_one()


def test_keys_of_courses_are_text_to_the_app():
    garden = make_course()
    assert isinstance(garden.pk, CourseKey)
    assert all(type(key) is str for key in LmsHost().courses([str(garden.pk)]))
