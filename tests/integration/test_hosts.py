"""The fake host and the embedded LMS's both keep the contract."""

import pytest
from django.contrib.auth.models import User
from django.contrib.sites.models import Site

from schedules.contrib.lms.host import LmsHost
from schedules.contrib.lms.models import CourseEmailOptout, SiteConfiguration
from schedules.exceptions import ConfigurationError, HostError
from schedules.host import Course, Enrollment, Learner, Section, VerifiedMode, ask, get_host
from schedules.testing import FakeHost, HostContract
from tests.world import enroll, make_course, make_learner, started

COURSE_ID = "course-v1:MeadowX+GARDEN1+2026"


class TestFakeHost(HostContract):
    user_id, course_id, site_id = 1, COURSE_ID, 1
    host = FakeHost(
        courses=[Course(id=COURSE_ID, org="MeadowX", name="Garden", start=started(100))],
        learners=[Learner(id=1, email="alice@learners.example.com")],
        enrollments=[Enrollment(user_id=1, course_id=COURSE_ID, mode="audit", is_active=True, created=started(3))],
        verified_modes=[VerifiedMode(course_id=COURSE_ID)],
        sections={COURSE_ID: [Section(name="Soil", highlights=("Dig",))]},
        opt_outs=[(1, COURSE_ID)],
        site_values={1: {"PLATFORM_NAME": "Meadow"}},
    )


@pytest.mark.django_db
class TestLmsHost(HostContract):
    host = LmsHost()
    course_id = COURSE_ID

    @pytest.fixture(autouse=True)
    def _school(self):
        alice, garden = make_learner(), make_course(number="GARDEN1", price=49, weeks=[["Dig"]])
        enroll(alice, garden)
        CourseEmailOptout.objects.create(user=alice, course=garden)
        site = Site.objects.create(domain="meadow.example.org")
        SiteConfiguration.objects.create(site=site, enabled=True, site_values={"PLATFORM_NAME": "Meadow"})
        SiteConfiguration.objects.create(site=Site.objects.create(domain="off.example.org"), enabled=False)
        self.user_id, self.site_id = alice.pk, site.pk
        others = [enroll(make_learner(name), make_course(price=9, weeks=[["Sow"]])) for name in ("bola", "chen")]
        self.more_keys = [(other.user_id, str(other.course_id)) for other in others]

    def test_a_configuration_that_is_not_enabled_is_none(self):
        assert list(self.host.site_values()) == [self.site_id]

    @pytest.mark.parametrize(("question", "most"), [("courses", 1), ("verified_modes", 1), ("sections", 1)])
    def test_a_question_about_courses_is_one_query(self, question, most, django_assert_num_queries):
        ids = [str(make_course(price=1, weeks=[["a"]]).pk) for _ in range(20)]
        with django_assert_num_queries(most):
            assert len(getattr(self.host, question)(ids)) == 20

    def test_a_question_about_learners_is_one_query(self, django_assert_num_queries):
        ids = [make_learner(f"learner{number}").pk for number in range(20)]
        ids.append(User.objects.create(username="without-a-profile", first_name="Dan").pk)
        with django_assert_num_queries(1):
            learners = self.host.learners(ids)
        assert len(learners) == 21
        assert learners[ids[-1]].name == "Dan"

    @pytest.mark.parametrize("question", ["enrollments", "opt_outs", "course_links", "progress"])
    def test_a_question_about_enrollments_is_one_query(self, question, django_assert_num_queries):
        garden = make_course(price=1)
        keys = []
        for number in range(20):
            learner = make_learner(f"learner{number}")
            enroll(learner, garden)
            CourseEmailOptout.objects.create(user=learner, course=garden)
            keys.append((learner.pk, str(garden.pk)))
        with django_assert_num_queries(1):
            assert len(getattr(self.host, question)(keys)) == 20


def test_a_fault_stands_beside_its_own_key():
    def fail_at(keys):
        if {3, 7} & set(keys):
            raise HostError("no such thing")
        return {key: key * 10 for key in keys}

    answers = ask(fail_at, range(10))
    assert answers.values == {key: key * 10 for key in range(10) if key not in (3, 7)}
    assert answers.faults == {3: "no such thing", 7: "no such thing"}


def test_what_a_host_raises_is_named_by_its_class_for_it_may_hold_an_address():
    def fail(keys):
        raise RuntimeError("alice@learners.example.com")

    assert ask(fail, [1]).faults == {1: "RuntimeError"}


@pytest.mark.parametrize("error", [HostError("away", is_temporary=True), ConfigurationError("wrong")])
def test_what_concerns_every_key_is_raised(error):
    def fail(keys):
        raise error

    with pytest.raises(type(error)):
        ask(fail, [1, 2])


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("no.such.Host", "cannot be imported"),
        (".", "cannot be imported"),
        ("schedules.testing.HostContract", "give a subclass of schedules.host.Host"),
        ("schedules.host.Host", "cannot be created"),
    ],
)
def test_a_host_that_cannot_be_used_is_refused(path, said, settings):
    settings.SCHEDULES = {"HOST": path}
    with pytest.raises(ConfigurationError, match=said):
        get_host()
