"""The questions that the app asks its LMS. Subclass `Host` and name the subclass in `SCHEDULES["HOST"]`.

Every method answers in bulk: keys in, a mapping out, one call per batch. A key that the LMS does not know
is left out of the mapping. Answers are the frozen values of `schedules.values.data`. What a method raises counts
against the keys it was asked for, never against others: the app asks again, one key at a time. But where waiting may
help (a connection that is refused, a timeout), it asks no more and comes back later.
`schedules.testing.HostContract` proves an adapter.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.utils.module_loading import import_string

from schedules.conf import cached_until, conf
from schedules.exceptions import ConfigurationError, HostError, redacted_traceback
from schedules.values import answers
from schedules.values.answers import BadAnswerError, Question, Shape, outages_as_host_errors, sequences_of, values_of
from schedules.values.data import (
    Course,
    CourseLinks,
    Enrollment,
    EnrollmentKey,
    Learner,
    LearnerProgress,
    Section,
    VerifiedMode,
)
from schedules.values.links import ALLOWED_LINK
from schedules.values.site_keys import problems as site_value_problems
from schedules.values.text import can_be_stored
from schedules.values.typed import WrongTypeError, as_link, shown

__all__ = [
    "Course",
    "CourseLinks",
    "Enrollment",
    "EnrollmentKey",
    "Host",
    "HostError",
    "Learner",
    "LearnerProgress",
    "Section",
    "VerifiedMode",
    "can_be_stored",
    "get_host",
    "site_value_problems",
]

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Host(ABC):
    """An LMS. Abstract methods are the facts without which nobody is written to; the rest have safe defaults."""

    @abstractmethod
    def courses(self, course_ids: Collection[str]) -> Mapping[str, Course]:
        """Course id -> course."""

    @abstractmethod
    def learners(self, user_ids: Collection[int]) -> Mapping[int, Learner]:
        """Learner's id -> learner, inactive ones included."""

    @abstractmethod
    def enrollments(self, keys: Collection[EnrollmentKey]) -> Mapping[EnrollmentKey, Enrollment]:
        """(learner's id, course id) -> enrollment, inactive ones included."""

    @abstractmethod
    def dashboard_url(self, site_id: int) -> str:
        """The page that lists a learner's courses: a path on the site, or a whole URL."""

    @abstractmethod
    def course_links(self, keys: Collection[EnrollmentKey]) -> Mapping[EnrollmentKey, CourseLinks]:
        """(learner's id, course id) -> where the links about that course lead this learner."""

    def verified_modes(self, course_ids: Collection[str]) -> Mapping[str, VerifiedMode]:
        """Course id -> its verified mode, also one that has expired. Default: nothing is for sale."""
        return {}

    def sections(self, course_ids: Collection[str]) -> Mapping[str, Sequence[Section]]:
        """Course id -> all its sections, in course order. Default: no highlights."""
        return {}

    def opt_outs(self, keys: Collection[EnrollmentKey]) -> Collection[EnrollmentKey]:
        """Those of `keys` whose learner wants no e-mail about that course. Default: nobody opted out."""
        return frozenset()

    def progress(self, keys: Collection[EnrollmentKey]) -> Mapping[EnrollmentKey, LearnerProgress]:
        """(learner's id, course id) -> what became of them, with or without messages; inactive enrollments included.

        Default: nothing is told, and learners who were held back are compared with nobody.
        """
        return {}

    def enrollment_site_id(self, user_id: int, course_id: str) -> int | None:
        """The site on which the learner is enrolling now, such as the request's. Default: not known (`None`)."""
        return None

    def site_values(self) -> Mapping[int, Mapping[str, Any]]:
        """Site id -> its configuration values, for the sites with an enabled configuration. Default: none has.

        Values replace Django settings of the same name; `course_org_filter` claims organizations.
        """
        return {}


class CheckedHost(Host):
    """A host whose answers are looked at as they come in: what it hands on is of the right kind.

    Raises `HostError`: a temporary one where the host is away for a while; a `BadAnswerError` for answers that are
    wrong. Raises `ConfigurationError` where an answer that concerns a whole site cannot be used.
    """

    def __init__(self, host: Host) -> None:
        self._host = host

    def _mapping(self, method: str, keys: Collection[Any], shape: Shape) -> dict[Any, Any]:
        return answers.mapping(Question(self._host, method), keys, *shape)

    def courses(self, course_ids: Collection[str]) -> Mapping[str, Course]:
        return self._mapping("courses", course_ids, values_of(Course, "id"))

    def learners(self, user_ids: Collection[int]) -> Mapping[int, Learner]:
        return self._mapping("learners", user_ids, values_of(Learner, "id"))

    def enrollments(self, keys: Collection[EnrollmentKey]) -> Mapping[EnrollmentKey, Enrollment]:
        return self._mapping("enrollments", keys, values_of(Enrollment, "user_id", "course_id"))

    def course_links(self, keys: Collection[EnrollmentKey]) -> Mapping[EnrollmentKey, CourseLinks]:
        return self._mapping("course_links", keys, values_of(CourseLinks))

    def verified_modes(self, course_ids: Collection[str]) -> Mapping[str, VerifiedMode]:
        return self._mapping("verified_modes", course_ids, values_of(VerifiedMode, "course_id"))

    def sections(self, course_ids: Collection[str]) -> Mapping[str, Sequence[Section]]:
        return self._mapping("sections", course_ids, sequences_of(Section))

    def opt_outs(self, keys: Collection[EnrollmentKey]) -> Collection[EnrollmentKey]:
        return answers.some_of(Question(self._host, "opt_outs"), keys)

    def progress(self, keys: Collection[EnrollmentKey]) -> Mapping[EnrollmentKey, LearnerProgress]:
        return self._mapping("progress", keys, values_of(LearnerProgress, "user_id", "course_id"))

    def dashboard_url(self, site_id: int) -> str:
        question = Question(self._host, "dashboard_url")
        url = answers.single(question, site_id)
        try:
            return as_link(url)
        except WrongTypeError:
            raise ConfigurationError(answers.wrong(question, str(site_id), shown(url), ALLOWED_LINK)) from None

    def enrollment_site_id(self, user_id: int, course_id: str) -> int | None:
        question = Question(self._host, "enrollment_site_id")
        site_id: int | None = answers.single(question, user_id, course_id)
        if site_id is not None and type(site_id) is not int:
            asked = f"{user_id}, {course_id!r}"
            raise HostError(answers.wrong(question, asked, shown(site_id), "a site's id or None"))
        return site_id

    def site_values(self) -> Mapping[int, Mapping[str, Any]]:
        """The values of a site may be of any kind here: they are that site's fault."""
        question = Question(self._host, "site_values")
        found = answers.single(question)
        allowed = "a mapping of sites' ids (whole numbers) to their values"
        if not isinstance(found, Mapping):  # values may be secret, so it is told by its class
            raise ConfigurationError(answers.wrong(question, "", answers.what(found), allowed))
        strangers = [site_id for site_id in found if type(site_id) is not int]
        if strangers:
            raise ConfigurationError(answers.wrong(question, "", f"for the site {shown(strangers[0])}", allowed))
        return found


def checked(host: Host) -> CheckedHost:
    """`host` with its answers checked."""
    return host if isinstance(host, CheckedHost) else CheckedHost(host)


@dataclass(frozen=True)
class Answers(Generic[K, V]):
    """What the host answered: `values` by key, and for keys that it failed at, `faults` with one line on why."""

    values: Mapping[K, V]
    faults: Mapping[K, str]


def ask(question: Callable[[Collection[K]], Mapping[K, V]], keys: Collection[K]) -> Answers[K, V]:
    """Put a bulk question; where it fails, halve the keys until each fault stands beside its own key.

    Raises `ConfigurationError`, and a `HostError` that is temporary: the whole batch had better wait.
    """
    if not keys:
        return Answers({}, {})
    try:
        with outages_as_host_errors(question):
            return Answers(question(keys), {})
    except ConfigurationError:
        raise
    except BadAnswerError as error:  # it knows whose fault is what
        log.warning("The host gave %d bad answers: %s", len(error.faults), error)
        return Answers(error.values, error.faults)
    except Exception as error:
        if isinstance(error, HostError) and error.is_temporary:
            raise
        if len(keys) == 1:
            log.warning("The host failed at %s: %s", question.__name__, redacted_traceback(error))
            fault = str(error) if isinstance(error, HostError) else type(error).__name__
            return Answers({}, dict.fromkeys(keys, fault))
    listed = list(keys)
    halves = [ask(question, half) for half in (listed[: len(listed) // 2], listed[len(listed) // 2 :])]
    return Answers(
        {key: value for half in halves for key, value in half.values.items()},
        {key: fault for half in halves for key, fault in half.faults.items()},
    )


def ask_opt_outs(host: Host, keys: Collection[EnrollmentKey]) -> Answers[EnrollmentKey, bool]:
    """`ask()` about which of `keys` the host itself lets nothing through: those are the keys of the values."""

    def hosts_opt_outs(asked: Collection[EnrollmentKey]) -> Mapping[EnrollmentKey, bool]:
        return dict.fromkeys(host.opt_outs(asked), True)

    return ask(hosts_opt_outs, keys)


def get_host() -> CheckedHost:
    """The host that `SCHEDULES["HOST"]` names, its answers checked. Raises `ConfigurationError` if it is no `Host`."""
    return _load_host(conf.host)


@cached_until("SCHEDULES")
def _load_host(path: str) -> CheckedHost:
    try:
        host_class = import_string(path)
    except (ImportError, ValueError) as error:
        raise ConfigurationError(f"SCHEDULES['HOST'] is {path!r}, which cannot be imported: {error}") from error
    if not (isinstance(host_class, type) and issubclass(host_class, Host)):
        raise ConfigurationError(f"SCHEDULES['HOST'] is {path!r}; give a subclass of schedules.host.Host.")
    try:
        return CheckedHost(host_class())
    except TypeError as error:
        raise ConfigurationError(f"SCHEDULES['HOST'] is {path!r}, which cannot be created: {error}") from error
