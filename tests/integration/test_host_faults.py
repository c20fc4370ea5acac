"""What a host does wrong is said in the ledger, and is nobody else's fault; while it is away, messages wait."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone

from schedules import api, ledger
from schedules.exceptions import HostError
from schedules.finding.facts import Moment
from schedules.message_types.deciding import decide
from schedules.messages import Gate, yes
from schedules.models import ScheduledMessage, SendRun
from schedules.sending import delivering, tasks
from tests.world import TODAY, enroll, make_course, make_learner, open_site, send_nudges, why

pytestmark = pytest.mark.django_db

Status = ScheduledMessage.Status

ALICE, BOB, CAROL = 24, 48, 72


@pytest.fixture
def school(email_channel):
    """Three learners of one bin, who are due today."""
    open_site()
    garden = make_course()
    for pk, name in ((ALICE, "alice"), (BOB, "bob"), (CAROL, "carol")):
        enroll(make_learner(name, pk=pk), garden)
    return email_channel


def rows():
    """Learner's id -> (status, reason)."""
    return {row.user_id: (row.status, why(row)) for row in ScheduledMessage.objects.all()}


def let_time_pass(**span):
    """Everything in the ledger happened that much earlier."""
    for row in ScheduledMessage.objects.all():
        row.leased_until = row.leased_until and row.leased_until - timedelta(**span)
        row.due_at = row.due_at and row.due_at - timedelta(**span)
        row.save()
    for run in SendRun.objects.all():
        run.leased_until -= timedelta(**span)
        run.save()


@pytest.fixture
def change_learners(change_host):
    """A function that has what the host says of each learner changed."""
    return lambda by: change_host("learners", lambda answer, ids: {key: by(one) for key, one in answer(ids).items()})


SENT = (Status.SENT, "")


def test_an_address_that_is_none_is_no_address_and_the_others_are_written_to(school, change_learners):
    change_learners(lambda one: replace(one, email=None) if one.id == ALICE else one)
    send_nudges()
    assert rows() == {ALICE: (Status.SKIPPED, "no-address"), BOB: SENT, CAROL: SENT}


def test_a_wrong_field_is_its_learners_fault_and_the_ledger_says_which(school, change_learners):
    change_learners(lambda one: replace(one, is_active=None) if one.id == BOB else one)
    send_nudges()
    failed = (Status.FAILED, f"host-error: Learner(id={BOB}): is_active is None; give True or False.")
    assert rows() == {ALICE: SENT, BOB: failed, CAROL: SENT}


def test_a_learner_answered_for_another_is_written_to_by_nobody(school, change_learners):
    change_learners(lambda one: replace(one, id=ALICE, email="alice@learners.example.com"))
    send_nudges()
    assert [mail.to for mail in school] == [["alice@learners.example.com"]]
    assert rows()[BOB] == (
        Status.FAILED,
        f"host-error: LmsHost.learners, asked for {BOB}, answered the Learner of {ALICE}; give each key its own.",
    )


@pytest.mark.parametrize("question", ["learners", "enrollments", "course_links", "opt_outs"])
def test_a_learner_whom_a_question_fails_for_is_not_written_to_and_the_others_are(school, change_host, question):

    def fail_for_bob(answer, keys):
        if any(BOB in (key if isinstance(key, tuple) else (key,)) for key in keys):
            raise ValueError
        return answer(keys)

    change_host(question, fail_for_bob)
    send_nudges()
    assert rows() == {ALICE: SENT, BOB: (Status.FAILED, "host-error: ValueError"), CAROL: SENT}


@pytest.mark.parametrize("question", ["courses", "verified_modes", "sections"])
def test_a_course_that_a_question_fails_for_is_not_written_about_and_the_others_are(
    email_channel, change_host, question
):
    open_site()
    alice = make_learner()
    bees, garden = make_course("Bees", weeks=[["Fly"]]), make_course("Garden", weeks=[["Dig"]])
    for course in (bees, garden):
        enroll(alice, course, days_ago=7)

    def fail_for_bees(answer, ids):
        if str(bees.pk) in ids:
            raise ValueError
        return answer(ids)

    change_host(question, fail_for_bees)
    call_command("send_course_update", "example.com", date=TODAY.isoformat(), verbosity=0)
    assert {tuple(row.course_ids): (row.status, why(row)) for row in ScheduledMessage.objects.all()} == {
        (str(bees.pk),): (Status.FAILED, "host-error: ValueError"),
        (str(garden.pk),): SENT,
    }


def test_a_link_that_is_none_is_its_keys_fault(school, change_host):
    def lead_bob_astray(answer, keys):
        return {
            key: replace(one, home="javascript:alert(1)") if key[0] == BOB else one for key, one in answer(keys).items()
        }

    change_host("course_links", lead_bob_astray)
    send_nudges()
    status, reason = rows().pop(BOB)
    assert (status, len(school)) == (Status.FAILED, 2)
    assert reason.startswith(
        "host-error: CourseLinks: home is 'javascript:alert(1)'; give a path on the site, or a URL"
    )


def test_an_answer_of_the_wrong_kind_fails_its_messages_with_one_line_about_the_method(school, change_host):
    change_host("enrollments", lambda answer, keys: list(keys))
    send_nudges()
    (reason,) = {reason for status, reason in rows().values()}
    assert reason.startswith(
        "host-error: LmsHost.enrollments, asked for 3 keys, answered a value of class list; give a"
    )
    assert len(rows()) == 3


class BreaksAtBob(Gate):
    """A host's gate with a fault."""

    reason = "not-bob"
    summary = "Bob is Bob."
    remedy = "Nothing."

    def look(self, due, facts, clock):
        return yes() if due.user_id != BOB else 1 / 0


def test_whatever_breaks_at_one_learner_while_it_is_decided_is_theirs(school, settings):
    settings.SCHEDULES = {**settings.SCHEDULES, "GATES": [f"{BreaksAtBob.__module__}.{BreaksAtBob.__name__}"]}
    send_nudges()
    assert rows() == {ALICE: SENT, BOB: (Status.FAILED, "gate-error: not-bob: ZeroDivisionError"), CAROL: SENT}


def test_words_of_a_host_that_no_database_takes_fail_their_learner_alone(school, change_learners):
    def be_rude(one):
        if one.id == BOB:
            raise HostError("half a character: \ud83d\0")
        return one

    change_learners(be_rude)
    send_nudges()
    assert rows() == {ALICE: SENT, BOB: (Status.FAILED, "host-error: half a character:"), CAROL: SENT}


# Away for a while ---------------------------------------------------------------------------------


class Away:
    """A host that cannot be reached at one question while `error` is set; it counts how often it was asked."""

    def __init__(self, change_host, question, error):
        self.error, self.calls = error, 0
        change_host(question, self._ask)

    def _ask(self, answer, *asked):
        self.calls += 1
        if self.error:
            raise self.error
        return answer(*asked)


class ServiceError(Exception):
    """As many clients say it: an answer without a class in common."""

    status = 503


ERRORS = [
    ConnectionError("refused"),
    TimeoutError(),
    OperationalError("server closed the connection"),
    ServiceError(),
]


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_a_bin_whose_host_is_away_is_asked_once_and_searched_again_later(school, change_host, error):
    away = Away(change_host, "learners", error)
    with pytest.raises(CommandError, match=r"^1 bins failed; .* recover_messages finishes the run\.$"):
        send_nudges()
    assert (rows(), away.calls) == ({}, 1)
    away.error = None
    let_time_pass(hours=1)
    api.recover()
    assert rows() == dict.fromkeys((ALICE, BOB, CAROL), SENT)
    assert not SendRun.objects.filter(finished_at=None).exists()


@pytest.mark.parametrize("question", ["site_values", "dashboard_url"])
def test_a_day_begun_while_the_host_is_away_is_done_when_it_is_back(school, change_host, question):
    away = Away(change_host, question, ConnectionError())
    with pytest.raises(CommandError, match="bins failed"):
        send_nudges()
    assert rows() == {}
    away.error = None
    let_time_pass(hours=1)
    api.recover()
    assert rows() == dict.fromkeys((ALICE, BOB, CAROL), SENT)


def claimed():
    """Everything due, claimed by a run but not delivered: (run, uuids)."""
    site = api.find_site("example.com")
    run = tasks.Run(message_type="recurring_nudge", site_id=site.pk, today=TODAY, day_offset=-3, uuid=uuid4())
    ledger.open_run(run, timezone.now())
    resolver = tasks.resolver_of(run)
    decisions = decide(resolver, resolver.schedules_of([ALICE, BOB, CAROL]), timezone.now(), Moment.FINDING)
    return run, [str(uuid) for uuid in ledger.claim(run, [one.entry for one in decisions], timezone.now())]


@pytest.mark.parametrize("question", ["learners", "opt_outs", "site_values", "dashboard_url"])
def test_claimed_messages_wait_for_the_host_however_often_it_takes(school, change_host, settings, question):
    settings.SCHEDULES = {**settings.SCHEDULES, "RETRY_ATTEMPTS": 2}
    run, ids = claimed()
    away = Away(change_host, question, ConnectionError())
    for _ in range(4):
        delivering.deliver_batch(run, ids, timezone.now())
        assert {status for status, _ in rows().values()} == {Status.CLAIMED}
        let_time_pass(hours=2)
    assert away.calls == 4
    away.error = None
    api.recover()
    assert rows() == dict.fromkeys((ALICE, BOB, CAROL), SENT)


def test_a_test_run_says_at_once_that_the_host_is_away(school, change_host):
    Away(change_host, "site_values", ConnectionError())
    with pytest.raises(CommandError, match=r"^LmsHost\.site_values cannot answer now \(ConnectionError\)\.$"):
        send_nudges(override_recipient_email="carol@example.com")
    assert school == []


def test_a_question_about_the_whole_site_that_fails_for_good_is_refused_in_one_line(school, change_host):
    Away(change_host, "site_values", KeyError("secret"))
    with pytest.raises(CommandError, match=r"^The host failed at LmsHost\.site_values: KeyError\.$"):
        send_nudges()
    assert not SendRun.objects.exists()
