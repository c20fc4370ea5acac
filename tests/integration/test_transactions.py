"""Nothing of ours harms an enrollment: our work follows the caller's commit, and waits for who is in its way."""

import random
import time
from contextlib import suppress

import pytest
from django.db import IntegrityError, InterfaceError, OperationalError, connection, connections, transaction
from django.urls import reverse

from schedules import api, signals
from schedules.contrib.lms.models import CourseEnrollment
from schedules.database import transactions
from schedules.models import HoldBack, OptOut, Schedule, ScheduleExperience
from schedules.optouts import OptOutScope
from tests.failing_database import refusing
from tests.world import enroll, make_course, make_learner, open_site, started

pytestmark = pytest.mark.django_db


@pytest.fixture
def statements():
    """What our tables are asked within somebody's transaction, as long as the test has one of its own."""
    said = []

    def note(execute, sql, *more):
        if "schedules_schedule" in sql and "schedules_scheduleconfig" not in sql:
            said.append(sql)
        return execute(sql, *more)

    with connection.execute_wrapper(note):
        yield said


@pytest.fixture
def other():
    """Another database, with its alias."""
    alias = "other"
    connections.databases[alias] = {**connections.databases["default"], "NAME": ":memory:"}
    connections[alias].connect()
    yield alias
    connections[alias].connection.close()  # Django keeps one that is in memory
    del connections[alias]
    del connections.databases[alias]


def broken_query(*_, **__):
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM no_such_table")


def test_nothing_of_ours_is_asked_or_written_in_the_callers_transaction(statements):
    open_site()
    alice, garden = make_learner(), make_course()
    with transaction.atomic():
        enroll(alice, garden)
        assert statements == []
    assert Schedule.objects.get().user == alice


def test_nothing_is_written_where_the_caller_rolls_back():
    open_site()
    alice, bob, garden = make_learner(), make_learner("bob"), make_course()
    with transaction.atomic():
        with suppress(ZeroDivisionError), transaction.atomic():
            enroll(alice, garden)
            raise ZeroDivisionError
        enroll(bob, garden)
    assert [schedule.user for schedule in Schedule.objects.all()] == [bob]


@pytest.mark.parametrize("error", [OperationalError("gone"), InterfaceError(0, "")])
def test_a_session_that_ended_costs_no_schedule(error):
    open_site()
    alice, garden = make_learner(), make_course()
    with refusing(error, "INSERT INTO", '"schedules_schedule"', times=1):
        enroll(alice, garden)
    assert Schedule.objects.get().user == alice


@pytest.mark.django_db(transaction=True)
def test_what_breaks_a_transaction_of_ours_leaves_the_callers_whole(change_host):
    open_site()
    alice, bob, garden = make_learner(), make_learner("bob"), make_course()
    change_host("verified_modes", broken_query)
    with transaction.atomic():
        enroll(alice, garden)
        enroll(bob, garden)
    assert CourseEnrollment.objects.count() == 2
    assert not Schedule.objects.exists()


@pytest.mark.parametrize("fails", [False, True])
def test_a_transaction_on_another_database_is_waited_for_too(other, fails):
    open_site()
    alice, garden = make_learner(), make_course()
    enrolled = {"enrolled_at": started(3), "now": started(0)}
    with suppress(ZeroDivisionError), transaction.atomic(using=other), transaction.atomic():
        api.learner_enrolled(alice.pk, str(garden.pk), **enrolled)
        if fails:
            raise ZeroDivisionError
    assert Schedule.objects.exists() is not fails


def test_it_waits_for_the_last_of_them(other):
    open_site()
    alice, garden = make_learner(), make_course()
    with transaction.atomic(using=other):
        with transaction.atomic():
            api.learner_enrolled(alice.pk, str(garden.pk), enrolled_at=started(3), now=started(0))
        assert not Schedule.objects.exists()
    assert Schedule.objects.exists()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OperationalError(1213, "Deadlock found"), ["INSERT", "schedules_schedule"]),
        (IntegrityError("somebody was faster"), ["INSERT", "schedules_scheduleexperience"]),
        (OperationalError("database is locked"), ["SELECT", '"schedules_schedule"']),
    ],
)
def test_who_is_in_the_way_is_waited_for(error, words):
    open_site()
    alice, garden = make_learner(), make_course()
    with refusing(error, *words, times=1):
        enroll(alice, garden)
    assert ScheduleExperience.objects.get().schedule.user == alice


def test_a_crowd_disperses(monkeypatch):
    bounds, fails = [], iter(range(15))
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    monkeypatch.setattr(random, "uniform", lambda least, most: bounds.append(most) or 0)

    def work():
        if next(fails, None) is not None:
            raise OperationalError("could not serialize access")
        return "done"

    assert transactions.in_own_transaction(work, "default") == "done"
    assert bounds[:3] == [0.02, 0.04, 0.08]
    assert max(bounds) == transactions.MAX_PAUSE_SECONDS


def test_a_hold_back_too_is_tried_again():
    open_site(hold_back_ratio=1)
    alice, garden = make_learner(), make_course()
    with refusing(OperationalError(1213, "Deadlock found"), "INSERT", "schedules_holdback", times=1):
        enroll(alice, garden)
    assert HoldBack.objects.get().user == alice


def test_old_news_that_come_late_change_nothing():
    open_site()
    alice, garden = make_learner(), make_course()
    for days in (3, 1, 2):
        api.learner_enrolled(alice.pk, str(garden.pk), enrolled_at=started(days), now=started(0))
    assert Schedule.objects.get().start_date == Schedule.objects.get().enrolled_at == started(1)


def test_a_learner_is_erased_as_a_part_of_the_callers_transaction():
    open_site()
    alice, garden = make_learner(), make_course()
    enroll(alice, garden)
    with suppress(ZeroDivisionError), transaction.atomic():
        api.learner_erased(alice.pk)
        assert not Schedule.objects.exists()
        raise ZeroDivisionError
    assert Schedule.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_host_that_breaks_its_transaction_at_a_wish_does_not_lose_it():
    site, alice = open_site(), make_learner()
    heard = []

    def receiver(**_):
        heard.append(OptOut.objects.filter(user=alice).exists())
        broken_query()

    signals.learner_opted_out.connect(receiver)
    try:
        with transaction.atomic():
            api.opt_out(alice.pk, OptOutScope(site_id=site.pk))
            assert heard == []
    finally:
        signals.learner_opted_out.disconnect(receiver)
    assert heard == [True]
    assert OptOut.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_enrollment_in_a_request_that_is_a_transaction(client, change_host, monkeypatch):
    open_site()
    alice, garden = make_learner(), make_course(weeks=[["Dig"]])
    client.force_login(alice)
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    change_host("sections", broken_query)  # which is asked in our own transaction
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    client.post(reverse("schedules_lms:enrollment", args=[garden.pk]), {"is_active": "yes"})
    assert CourseEnrollment.objects.get().user == alice
    assert not Schedule.objects.exists()
    monkeypatch.undo()
    api.learner_enrolled(alice.pk, str(garden.pk), enrolled_at=started(3), now=started(0))
    assert Schedule.objects.get().user == alice
