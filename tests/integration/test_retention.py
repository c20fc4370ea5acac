"""Old rows go, and what they prove is not needed any more."""

import json
from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from schedules import api
from schedules.contrib.lms.models import CourseEmailOptout
from schedules.ledger import retention
from schedules.models import ScheduledMessage, SendRun
from tests.world import TODAY, enroll, make_course, make_learner, open_site

pytestmark = pytest.mark.django_db

NOW = timezone.now()


def run_of(site, days):
    at = NOW - timedelta(days=days)
    return SendRun.objects.create(
        site=site, message_type="recurring_nudge", date=at.date(), day_offset=-3, started_at=at, finished_at=at
    )


def message(run, learner, status="sent", days=None):
    return ScheduledMessage.objects.create(
        uuid=uuid4(),
        run=run,
        site=run.site,
        user=learner,
        name="recurringnudge_day3",
        target_date=run.date,
        day_offset=-3,
        status=status,
        created=run.started_at if days is None else NOW - timedelta(days=days),
    )


def prune(days, **options):
    out = StringIO()
    call_command("prune_messages", older_than=days, stdout=out, **options)
    return out.getvalue()


def test_finalized_messages_and_empty_runs_that_are_older_go():
    site, alice = open_site(), make_learner()
    old, recent, empty = run_of(site, 50), run_of(site, 39), run_of(site, 60)
    for status in ("sent", "skipped", "failed"):
        message(old, alice, status)
    kept = message(recent, alice)
    said = prune(40)
    assert "Deleted 3 messages and 2 runs from before" in said
    assert f"Do not run days before {(NOW - timedelta(days=40)).date()} again" in said
    assert list(ScheduledMessage.objects.all()) == [kept]
    assert list(SendRun.objects.all()) == [recent]
    assert not SendRun.objects.filter(pk=empty.pk).exists()
    assert "Deleted 0 messages and 0 runs" in prune(40)


@pytest.mark.parametrize("status", ["claimed", "delivering"])
def test_what_is_not_finalized_stays_with_its_run(status):
    row = message(run_of(open_site(), 500), make_learner(), status)
    prune(30)
    assert ScheduledMessage.objects.get() == row
    assert SendRun.objects.get() == row.run


def test_an_old_run_with_a_recent_message_stays():
    row = message(run_of(open_site(), 100), make_learner(), days=5)
    prune(30)
    assert SendRun.objects.get() == row.run


def test_it_works_in_batches():
    site, alice = open_site(), make_learner()
    row = message(run_of(site, 40), alice)
    for model, first in ((ScheduledMessage, row), (SendRun, row.run)):
        values = {field.attname: getattr(first, field.attname) for field in model._meta.concrete_fields}
        model.objects.bulk_create(model(**{**values, "uuid": uuid4()}) for _ in range(2000))
    assert list(retention.prune_messages(NOW - timedelta(days=30))) == [1000, 1000, 1]
    said = prune(30, verbosity=2)
    assert [line for line in said.splitlines() if "so far" in line] == [
        "1000 runs so far",
        "2000 runs so far",
        "2001 runs so far",
    ]


def test_it_may_be_quiet():
    open_site()
    assert prune(30, verbosity=0) == ""


@pytest.mark.parametrize("days", [29, 0, -1, 36_501])
def test_less_than_the_proof_that_is_needed_is_refused_in_one_line(days):
    row = message(run_of(open_site(), 100), make_learner())
    with pytest.raises(
        CommandError, match=rf"--older-than: '{days}' cannot be used; give a whole number from 30 "
    ) as refusal:
        prune(days)
    assert "\n" not in str(refusal.value)
    assert ScheduledMessage.objects.get() == row


def test_a_learner_who_is_erased_leaves_counts_and_nothing_else(mailbox):
    site = open_site()
    garden = make_course()
    alice, bob = make_learner(), make_learner("bob")
    for learner in (alice, bob):
        enroll(learner, garden)
    CourseEmailOptout.objects.create(user=bob, course=garden)
    api.enqueue_day("recurring_nudge", site, TODAY, now=timezone.now())
    for learner in (alice, bob):
        api.learner_erased(learner.pk)
    assert not ScheduledMessage.objects.exists()
    run = SendRun.objects.get(day_offset=-3)
    assert set(run.counts) == {"bins", "found", "already", "sent", "pending", "skipped", "failed"}
    assert (run.counts["sent"], run.counts["skipped"]) == (1, {"opted-out": 1})
    said = json.dumps(run.counts) + str(run)
    for word in ("alice", "bob", "learners.example.com", str(garden.pk)):
        assert word not in said
