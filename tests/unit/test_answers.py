"""What a host answers is looked at where it comes in: each field's type, whose answer it is, whether waiting helps."""

import http.client
import sqlite3
import urllib.error
import xmlrpc.client
from collections import UserDict
from dataclasses import fields
from datetime import UTC, date, datetime

import grpc
import httpx
import pymongo.errors
import pytest
import requests
from botocore.exceptions import ClientError
from django.db import InterfaceError, OperationalError
from django.utils.functional import lazystr
from django.utils.safestring import SafeString, mark_safe
from rest_framework.exceptions import APIException, NotFound, Throttled

from schedules.exceptions import ConfigurationError, HostError
from schedules.host import (
    Course,
    CourseLinks,
    Enrollment,
    Learner,
    LearnerProgress,
    Section,
    VerifiedMode,
    ask,
    checked,
)
from schedules.testing import FakeHost
from schedules.values.answers import is_outage
from tests.unit.fake_school import SCHOOL, SchoolContract

NOW = datetime(2026, 3, 9, tzinfo=UTC)
RIGHT = {
    Course: {"id": "c", "org": "o", "name": "Bees", "start": NOW},
    Learner: {"id": 1, "email": "alice@learners.example.com", "name": "Alice"},
    Enrollment: {"user_id": 1, "course_id": "c", "mode": "audit", "is_active": True, "created": NOW},
    LearnerProgress: {"user_id": 1, "course_id": "c"},
    VerifiedMode: {"course_id": "c"},
    Section: {"name": "Week 1", "highlights": ("dig",)},
    CourseLinks: {"home": "/courses/c/"},
}
TEXTS = [None, b"text", 5, ["text"]]
NUMBERS = [None, "1", 1.0, True]
SWITCHES = [None, 1, 0, "true"]
INSTANTS = ["2026-03-09T00:00:00Z", date(2026, 3, 9), datetime(2026, 3, 9), 1773014400]  # noqa: DTZ001
LINKS = [
    b"/c",
    5,
    "javascript:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "JavaScript://x/%0aalert(1)",
    "ftp://x/",
    "https://",
    "http:/c",
    "/c\nx",
    "//[",
    " /c",
]
SEQUENCES = [None, "dig", b"dig", {"dig"}, {"dig": 1}, iter(["dig"])]
WRONG = {
    Course: {
        "id": TEXTS,
        "org": TEXTS,
        "name": TEXTS,
        "start": INSTANTS,
        "end": INSTANTS,
        "is_self_paced": SWITCHES,
        "language": TEXTS[1:],
        "is_messaging_enabled": SWITCHES,
        "image_url": LINKS,
    },
    Learner: {
        "id": NUMBERS,
        "email": TEXTS[1:],
        "name": TEXTS,
        "language": TEXTS[1:],
        "is_active": SWITCHES,
    },
    Enrollment: {
        "user_id": NUMBERS,
        "course_id": TEXTS,
        "mode": TEXTS,
        "is_active": SWITCHES,
        "created": [None, *INSTANTS],
    },
    LearnerProgress: {
        "user_id": NUMBERS,
        "course_id": TEXTS,
        **dict.fromkeys(("last_active_at", "upgraded_at", "completed_at"), INSTANTS),
    },
    VerifiedMode: {"course_id": TEXTS, "expires_at": INSTANTS},
    Section: {"name": TEXTS, "highlights": SEQUENCES, "is_hidden_from_toc": SWITCHES, "is_staff_only": SWITCHES},
    CourseLinks: {"home": [None, *LINKS], "upgrade": LINKS},
}


def test_no_field_of_a_value_goes_unchecked():
    assert {kind: set(wrong) for kind, wrong in WRONG.items()} == {
        kind: {field.name for field in fields(kind)} for kind in RIGHT
    }


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [(kind, name, value) for kind, names in WRONG.items() for name, values in names.items() for value in values],
)
def test_a_field_of_another_type_is_refused_by_its_name(kind, name, value):
    with pytest.raises(HostError, match=rf"^{kind.__name__}.*: {name} is .*; give \w+"):
        kind(**{**RIGHT[kind], name: value})


def test_an_address_that_is_none_is_an_empty_one():
    assert Learner(id=1, email=None).email == ""


def test_a_refusal_does_not_show_what_is_personal():
    for name in ("email", "name"):
        with pytest.raises(HostError) as refusal:
            Learner(**{**RIGHT[Learner], name: ["Alice", "alice@learners.example.com"]})
        assert "lice" not in str(refusal.value)


@pytest.mark.parametrize("text", [lazystr("<b>Bees</b>"), mark_safe("<b>Bees</b>"), lazystr(mark_safe("<b>Bees</b>"))])
def test_a_translated_text_becomes_text_and_one_that_claims_to_be_html_a_plain_one(text):
    for value in (Course(**{**RIGHT[Course], "org": text}).org, Learner(id=1, email="", name=text).name):
        assert value == "<b>Bees</b>"
        assert not isinstance(value, SafeString)
        assert type(value) is str


@pytest.mark.parametrize(
    "link", ["/", "", "courses/c", "//cdn.example.com/x", "https://bücher.example/ä", "http://127.0.0.1:8000/?a=b#c"]
)
def test_paths_and_urls_of_the_web_are_links(link):
    assert CourseLinks(home=link, upgrade=None).home == link


# Whole answers ------------------------------------------------------------------------------------


def answering(name, answer):
    """A host whose question `name` gets that answer, and the list of the keys it was asked for."""
    asked = []

    def question(self, keys):
        asked.append(list(keys))
        return answer(keys) if callable(answer) else answer

    return checked(type("Lms", (FakeHost,), {name: question})()), asked


QUESTIONS = {
    "courses": (Course, ["a", "b"]),
    "learners": (Learner, [1, 2]),
    "enrollments": (Enrollment, [(1, "a"), (2, "a")]),
    "course_links": (CourseLinks, [(1, "a"), (2, "a")]),
    "verified_modes": (VerifiedMode, ["a", "b"]),
    "sections": (Section, ["a", "b"]),
    "progress": (LearnerProgress, [(1, "a"), (2, "a")]),
}


class Fails(UserDict):
    def __getitem__(self, key):
        raise RuntimeError("lazily")


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize("answer", [None, [], "text", iter([]), {"stranger": None}, {None: None}, {5.5: None}])
def test_a_whole_answer_of_the_wrong_kind_is_the_methods_fault_and_is_not_asked_for_again(name, answer):
    host, asked = answering(name, answer)
    keys = QUESTIONS[name][1]
    found = ask(getattr(host, name), keys)
    assert asked == [keys]
    assert found.values == {}
    assert set(found.faults) == set(keys)
    for line in found.faults.values():
        assert line.startswith(f"Lms.{name}, asked for 2 keys, answered ")
        assert "\n" not in line


@pytest.mark.parametrize("name", QUESTIONS)
def test_an_empty_answer_is_no_fault(name):
    host, asked = answering(name, {})
    assert ask(getattr(host, name), QUESTIONS[name][1]) == ask(lambda keys: {}, [1])
    assert len(asked) == 1


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize("value", [None, {"id": 1}, "text", 5])
def test_a_value_of_another_class_is_its_keys_fault(name, value):
    keys = QUESTIONS[name][1]
    host, asked = answering(name, {keys[0]: value})
    found = ask(getattr(host, name), keys)
    assert list(found.faults) == [keys[0]]
    assert f"Lms.{name}, asked for {keys[0]!r}, answered" in found.faults[keys[0]]
    assert len(asked) == 1


def test_the_other_keys_of_such_an_answer_have_their_values():
    bob = Learner(id=2, email="")
    host, _ = answering("learners", {1: None, 2: bob})
    found = ask(host.learners, [1, 2])
    assert found.values == {2: bob}
    assert found.faults == {1: "Lms.learners, asked for 1, answered None; give a Learner, or leave the key out."}


def test_an_answer_about_somebody_else_is_refused():
    host, _ = answering("learners", {1: Learner(id=2, email="bob@learners.example.com")})
    assert ask(host.learners, [1]).faults == {
        1: "Lms.learners, asked for 1, answered the Learner of 2; give each key its own."
    }


def test_a_list_of_sections_holds_sections_alone():
    host, _ = answering("sections", {"a": [Section(name="1"), "Week 2"], "b": (Section(name="1"),)})
    found = ask(host.sections, ["a", "b"])
    assert list(found.faults) == ["a"]
    assert list(found.values) == ["b"]


def test_a_mapping_that_raises_is_asked_for_key_by_key():
    host, asked = answering("learners", lambda keys: Fails({1: 1}) if 1 in keys else {2: Learner(id=2, email="")})
    found = ask(host.learners, [1, 2])
    assert (found.faults, list(found.values)) == ({1: "RuntimeError"}, [2])
    assert asked == [[1, 2], [1], [2]]


@pytest.mark.parametrize("answer", [[(1, "a")], {(1, "a")}, ((1, "a"),), iter([(1, "a")])])
def test_opt_outs_are_any_collection_of_the_keys(answer):
    host, _ = answering("opt_outs", answer)
    assert host.opt_outs([(1, "a"), (2, "a")]) == {(1, "a")}


@pytest.mark.parametrize("answer", [None, {(1, "a"): False}, "1a", 5, [[1, "a"]], [(3, "a")], [1]])
def test_opt_outs_of_the_wrong_kind_let_nobody_be_written_to(answer):
    host, asked = answering("opt_outs", answer)
    keys = [(1, "a"), (2, "a")]
    found = ask(lambda some: dict.fromkeys(host.opt_outs(some), True), keys)
    assert set(found.faults) == set(keys)
    assert asked == [keys]


@pytest.mark.parametrize("url", [None, 5, b"/", "javascript:alert(1)"])
def test_a_dashboard_that_is_no_link_is_refused_for_the_whole_site(url):
    with pytest.raises(ConfigurationError, match=r"^FakeHost\.dashboard_url\(7\) answered .*; give a path on the site"):
        checked(FakeHost(dashboard=url)).dashboard_url(7)


@pytest.mark.parametrize("site_id", ["1", True, 1.0, object()])
def test_the_site_of_an_enrollment_is_an_id(site_id):
    with pytest.raises(HostError, match=r"^FakeHost\.enrollment_site_id\(1, 'c'\) answered .*; give a site's id or No"):
        checked(FakeHost(site_id=site_id)).enrollment_site_id(1, "c")


@pytest.mark.parametrize("values", [None, [], "text", {"1": {}}, {None: {}}, {True: {}}])
def test_sites_values_stand_under_the_sites_ids(values):
    host = checked(type("Lms", (FakeHost,), {"site_values": lambda self: values})())
    with pytest.raises(ConfigurationError, match=r"^Lms\.site_values\(\) answered .*; give a mapping of sites' ids"):
        host.site_values()


# Outages ------------------------------------------------------------------------------------------


def caused_by(error, cause):
    error.__cause__ = cause
    return error


class ForeignStatusError(Exception):
    """An answer of HTTP, by a class that nobody else knows."""

    def __init__(self, *, response):
        super().__init__()
        self.response = response


def answered(status, of=requests.HTTPError):
    response = requests.Response()
    response.status_code = status
    return of(response=response)


def named(*names, **fields):
    """An error of a library that is not installed here: classes of these names, outermost last, with these fields."""
    found = Exception
    for name in reversed(names):
        found = type(name, (found,), {})
    error = found()
    vars(error).update(fields)
    return error


def at_amazon(code, status=400):
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "GetItem")


def at_httpx(status):
    request = httpx.Request("POST", "https://lms.example.com")
    return httpx.HTTPStatusError("no", request=request, response=httpx.Response(status, request=request))


def at_xmlrpc(status):
    return xmlrpc.client.ProtocolError("lms.example.com/RPC2", status, "no", {})


class GrpcError(grpc.RpcError):
    """As a client of gRPC raises it: `code()` is a member of an enumeration."""

    def __init__(self, code):
        super().__init__()
        self._code = code

    def code(self):
        return self._code


class GrpcErrorWithoutCode(grpc.RpcError):
    def code(self):
        raise RuntimeError


def sqlite_error(sql):
    """What the driver itself raises."""
    connection = sqlite3.connect(":memory:", timeout=0)
    try:
        connection.execute("PRAGMA query_only = 1")
        connection.execute(sql)
    except sqlite3.Error as error:
        return error
    finally:
        connection.close()
    raise AssertionError(sql)


AWAY = [
    ConnectionError(),
    ConnectionRefusedError(),
    TimeoutError(),
    OSError("no route to host"),
    requests.ConnectionError(),
    requests.Timeout(),
    answered(503),
    answered(429),
    urllib.error.URLError("refused"),
    urllib.error.HTTPError("https://lms.example.com", 502, "Bad Gateway", {}, None),
    OperationalError("server closed the connection"),
    InterfaceError("connection already closed"),
    HostError("the LMS is restarting", is_temporary=True),
    caused_by(RuntimeError("the client says"), ConnectionResetError()),
    http.client.IncompleteRead(b""),
    http.client.CannotSendRequest("Request-sent"),
    *(named(name) for name in ("ReadTimeout", "ConnectError", "ServiceUnavailable", "AutoReconnect")),
    EOFError(),  # of telnetlib's, ftplib's and the like
    ExceptionGroup("both replicas", [ConnectionError(), TimeoutError()]),
    # Wherever a library keeps the status of an answer
    answered(503, of=ForeignStatusError),  # no OSError, as that of httpx is none
    at_httpx(503),
    at_xmlrpc(503),
    APIException(),
    Throttled(),
    named("ClientResponseError", status=503),  # aiohttp
    named("TransportError", status_code=502),  # zeep
    named("ApiException", status=429),  # Kubernetes
    at_amazon("ServiceUnavailable", 503),
    at_amazon("ProvisionedThroughputExceededException", 503),
    at_amazon("ThrottlingException"),
    at_amazon("TooManyRequestsException", 429),
    GrpcError(grpc.StatusCode.UNAVAILABLE),
    GrpcError(grpc.StatusCode.DEADLINE_EXCEEDED),
    GrpcError(grpc.StatusCode.RESOURCE_EXHAUSTED),
    GrpcError("StatusCode.UNAVAILABLE"),
    # Without a status
    httpx.ReadError(""),
    httpx.WriteError(""),
    httpx.RemoteProtocolError("gone"),
    pymongo.errors.NotPrimaryError("stepped down"),
    pymongo.errors.ServerSelectionTimeoutError(),
    named("ReadOnlyError", "ResponseError", "RedisError"),
    named("SERVER_DOWN", "LDAPError"),
    named("NoBrokersAvailable", "KafkaError"),
    # A database that the host asks itself
    named("OperationalError"),
    named("OperationalError", "DatabaseError", "Error"),
    named("ReadOnlySqlTransaction", "InternalError", "DatabaseError", "Error", sqlstate="25006"),
    caused_by(named("DBAPIError", "DatabaseError"), named("AdminShutdown", "OperationalError", sqlstate="57P01")),
    sqlite_error("CREATE TABLE t (a)"),  # it is read-only
]
WRONG_FOR_GOOD = [
    RuntimeError(),
    KeyError(1),
    FileNotFoundError(),
    PermissionError(),
    answered(404),
    answered(404, of=ForeignStatusError),
    urllib.error.HTTPError("https://lms.example.com", 403, "Forbidden", {}, None),
    HostError("there is no such course"),
    ExceptionGroup("one of them for good", [ConnectionError(), KeyError(1)]),
    caused_by(HostError("there is no such course"), ConnectionError()),
    at_httpx(404),
    at_xmlrpc(404),
    NotFound(),
    named("ClientResponseError", status=404),
    named("ApiException", status=True),
    at_amazon("ResourceNotFoundException"),
    GrpcError(grpc.StatusCode.NOT_FOUND),
    GrpcErrorWithoutCode(),
    sqlite_error("SELECT a FROM nothing"),
    named("ProgrammingError", "DatabaseError", "Error"),
    named("UndefinedTable", "ProgrammingError", "DatabaseError", "Error", sqlstate="42P01"),
    caused_by(named("DBAPIError", "OperationalError"), named("UndefinedColumn", "OperationalError", sqlstate="42703")),
]


@pytest.mark.parametrize("error", AWAY, ids=repr)
def test_an_outage_ends_the_questions_at_once(error):
    calls = []

    def fail(keys):
        calls.append(keys)
        raise error

    assert is_outage(error)
    with pytest.raises(HostError) as raised:
        ask(fail, range(500))
    assert raised.value.is_temporary
    assert len(calls) == 1


@pytest.mark.parametrize("error", WRONG_FOR_GOOD, ids=repr)
def test_what_waiting_cannot_mend_stands_beside_its_key(error):
    def fail_at_seven(keys):
        if 7 in keys:
            raise error
        return dict.fromkeys(keys, True)

    assert not is_outage(error)
    found = ask(fail_at_seven, range(10))
    assert list(found.faults) == [7]
    assert len(found.values) == 9


@pytest.mark.parametrize("error", AWAY, ids=repr)
def test_a_question_about_a_whole_site_says_so_too(error):
    def fail(self, *_):
        raise error

    host = checked(type("Lms", (FakeHost,), {"site_values": fail, "dashboard_url": fail, "enrollment_site_id": fail})())
    for question, keys in ((host.site_values, ()), (host.dashboard_url, (1,)), (host.enrollment_site_id, (1, "c"))):
        with pytest.raises(HostError) as raised:
            question(*keys)
        assert raised.value.is_temporary


# The contract for host projects -------------------------------------------------------------------

PLACES = {
    Course: "courses",
    Learner: "learners",
    Enrollment: "enrollments",
    LearnerProgress: "progress",
    VerifiedMode: "verified_modes",
    Section: "sections",
    CourseLinks: "course_links",
}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in WRONG.items() for name in names])
def test_the_contract_asks_for_each_fields_type_and_says_what_was_asked_and_answered(kind, name):
    contract = SchoolContract()
    question = PLACES[kind]

    def answer(self, keys):
        return {key: kind(**{**RIGHT[kind], name: WRONG[kind][name][-1]}) for key in keys}

    contract.host = type("Lms", (type(contract.host),), {question: answer})(**SCHOOL)
    said = []
    for test in (test for test in dir(contract) if test.startswith("test_")):
        try:
            getattr(contract, test)()
        except AssertionError as error:
            said.append(str(error))
    assert any(f"Lms.{question}([" in line and f"{name} is " in line for line in said)
