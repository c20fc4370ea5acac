"""The host in memory, and the contract that it keeps: a host that does not keep it is found out."""

import pytest
from django.test import SimpleTestCase

from schedules.host import CourseLinks, Learner, LearnerProgress
from schedules.testing import FakeHost, HostContract
from tests.unit.fake_school import ALICE, BOLA, GARDEN, MAPS, SCHOOL, SchoolContract


class TestContract(SchoolContract):
    """The fake host keeps the contract itself."""


class TestContractInUnittest(HostContract, SimpleTestCase):
    """The contract serves `unittest` too, and opens no database of its own."""

    host = FakeHost(**SCHOOL)
    user_id, course_id, site_id = ALICE, GARDEN, 1


def test_it_links_to_the_upgrade_only_where_one_is_for_sale():
    links = FakeHost(**SCHOOL).course_links([(ALICE, GARDEN), (ALICE, MAPS), (ALICE, "course-v1:No+Such+Course")])
    assert links == {
        (ALICE, GARDEN): CourseLinks(home=f"/courses/{GARDEN}/", upgrade=f"/courses/{GARDEN}/upgrade"),
        (ALICE, MAPS): CourseLinks(home=f"/courses/{MAPS}/"),
    }


def test_links_and_the_dashboard_can_be_given():
    elsewhere = CourseLinks(home="https://learn.example.com/garden")
    host = FakeHost(**SCHOOL, links={GARDEN: elsewhere}, dashboard="/home")
    assert host.course_links([(BOLA, GARDEN)]) == {(BOLA, GARDEN): elsewhere}
    assert host.dashboard_url(1) == "/home"


def test_it_tells_what_became_of_those_it_was_given():
    host = FakeHost(**SCHOOL)
    assert host.progress([(ALICE, GARDEN), (BOLA, MAPS)]) == {(ALICE, GARDEN): SCHOOL["progress"][0]}


def test_it_says_where_learners_are_enrolling_now():
    assert FakeHost().enrollment_site_id(ALICE, GARDEN) is None
    assert FakeHost(site_id=7).enrollment_site_id(ALICE, GARDEN) == 7


class KnowsEverybody(FakeHost):
    def learners(self, user_ids):
        return {user_id: Learner(id=user_id, email="") for user_id in user_ids}


class AnswersMoreThanWasAsked(FakeHost):
    def opt_outs(self, keys):
        return {(ALICE, GARDEN), (BOLA, MAPS)}


class LinksToCoursesThatAreNot(FakeHost):
    def course_links(self, keys):
        return {key: CourseLinks(home="/", upgrade="/upgrade") for key in keys}


class KnowsWhatBecameOfEverybody(FakeHost):
    def progress(self, keys):
        return {key: LearnerProgress(user_id=key[0], course_id=key[1]) for key in keys}


class TellsOfSomebodyElse(FakeHost):
    def progress(self, keys):
        return {(ALICE, GARDEN): LearnerProgress(user_id=BOLA, course_id=GARDEN)} if keys else {}


class TellsOfProgressInADict(FakeHost):
    def progress(self, keys):
        return {key: {"last_active_at": None} for key in keys if key == (ALICE, GARDEN)}


class AnswersWithADict(FakeHost):
    def courses(self, course_ids):
        return {course_id: vars(self) for course_id in course_ids}


@pytest.mark.parametrize(
    "host",
    [
        KnowsEverybody,
        AnswersMoreThanWasAsked,
        LinksToCoursesThatAreNot,
        AnswersWithADict,
        KnowsWhatBecameOfEverybody,
        TellsOfSomebodyElse,
        TellsOfProgressInADict,
    ],
)
def test_the_contract_finds_out_a_host_that_does_not_keep_it(host):
    contract = TestContract()
    contract.host = host(**SCHOOL)
    failed = []
    for name in (name for name in dir(contract) if name.startswith("test_")):
        try:
            getattr(contract, name)()
        except (AssertionError, AttributeError):
            failed.append(name)
    assert failed
