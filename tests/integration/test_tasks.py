"""The way through Celery: what the broker carries, and what a failing task does to the others."""

import json
from io import StringIO
from uuid import uuid4

import pytest
from celery import current_app
from django.core.management import CommandError, call_command
from django.db import DataError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from schedules import api, ledger
from schedules.models import ScheduledMessage, SendRun
from schedules.values.runs import Run
from tests.failing_database import refusing
from tests.world import TODAY, enroll, make_course, make_learner, open_site, perform

pytestmark = pytest.mark.django_db


def run(**options):
    out = StringIO()
    call_command("send_recurring_nudge", "example.com", date=TODAY.isoformat(), stdout=out, **options)
    return out.getvalue()


@pytest.mark.all_bins
def test_a_command_queues_and_workers_do_the_rest(broker, email_channel):
    open_site()
    alice = make_learner()
    enroll(alice, make_course())
    assert "Queued 2 runs of 24 bins" in run()
    bins = broker()
    assert [name for name, _ in bins] == ["schedules.tasks.resolve_bin"] * 48
    assert sorted(arguments["bin_number"] for _, arguments in bins) == sorted([*range(24)] * 2)
    perform(bins)
    (batch,) = broker()
    perform([batch, batch])
    assert len(email_channel) == 1
    assert ScheduledMessage.objects.get().status == "sent"
    assert not SendRun.objects.filter(finished_at=None).exists()
    carried = json.dumps([bins, batch])
    assert alice.email not in carried
    assert "Garden" not in carried


def test_a_test_run_goes_through_the_broker_too(broker, email_channel):
    open_site()
    alice = make_learner()
    for number in range(3):
        enroll(alice, make_course(f"Course {number}", weeks=[["a"]]), days_ago=7)
    call_command(
        "send_course_update",
        "example.com",
        date=TODAY.isoformat(),
        override_recipient_email="me@example.org",
        verbosity=0,
        weeks=1,
    )
    waiting = broker()
    assert {name for name, _ in waiting} == {"schedules.tasks.send_test_bin"}
    perform(waiting)
    assert broker() == []
    assert [mail.to for mail in email_channel] == [["me@example.org"]] * 3


@pytest.mark.all_bins
def test_the_routing_key_names_the_queue(broker, settings):
    settings.ACE_ROUTING_KEY = "schedules"
    open_site()
    run()
    assert broker() == []
    assert len(broker("schedules")) == 48


def test_a_bin_is_delivered_in_batches(broker, settings, email_channel):
    settings.SCHEDULES = {"DELIVERY_BATCH_SIZE": 2, "RESOLVE_BATCH_SIZE": 3}
    open_site()
    garden = make_course()
    for number in range(1, 6):
        enroll(make_learner(f"learner{number}", pk=24 * number), garden)
    run()
    perform(broker())
    batches = broker()
    assert [len(arguments["ids"]) for _, arguments in batches] == [2, 1, 2]
    perform(batches)
    assert len(email_channel) == 5


@pytest.mark.django_db(transaction=True)
def test_a_batch_that_fails_stops_no_other_and_is_reported(email_channel):
    open_site()
    garden = make_course()
    for number in (1, 2):
        enroll(make_learner(f"learner{number}", pk=number), garden)
    is_leased = ('UPDATE "schedules_scheduledmessage"', '"leased_until"')
    with (
        refusing(DataError("no such thing"), *is_leased, times=1),
        pytest.raises(CommandError, match=r"^1 bins failed; .*what was sent is not sent twice"),
    ):
        run()
    assert sorted(ScheduledMessage.objects.values_list("status", flat=True)) == ["claimed", "sent"]
    assert SendRun.objects.get(day_offset=-3).finished_at is None
    run()
    assert len(email_channel) == 2


def test_reports_know_their_run():
    site = open_site()
    (report, _) = api.enqueue_day("recurring_nudge", site, TODAY, now=timezone.now())
    assert (report.name, report.run.target_date.isoformat()) == ("recurringnudge_day3", "2026-03-06")


def counts_in(queries):
    return [query for query in queries if "COUNT(" in query["sql"] and "schedules_scheduledmessage" in query["sql"]]


def test_a_run_counts_its_messages_once_when_its_last_bin_has_reported(email_channel):
    open_site()
    garden = make_course()
    for number in range(1, 4):
        enroll(make_learner(f"learner{number}"), garden)
    with CaptureQueriesContext(connection) as queries:
        reports = api.enqueue_day("recurring_nudge", api.find_site("example.com"), TODAY, now=timezone.now())
    assert SendRun.objects.exclude(finished_at=None).count() == len(reports) == 2
    assert len(counts_in(queries)) == len(reports)


def test_who_waits_does_not_count_finished_runs_again(email_channel):
    open_site()
    enroll(make_learner(), make_course())
    reports = api.enqueue_day("recurring_nudge", api.find_site("example.com"), TODAY, now=timezone.now())
    counted = [report.totals for report in reports]
    with CaptureQueriesContext(connection) as queries:
        assert api.is_finished(reports)
    assert counts_in(queries) == []
    assert len(queries) == 1
    assert [report.totals for report in reports] == counted
    SendRun.objects.update(finished_at=None)
    assert not api.is_finished(reports)
    assert [report.totals for report in reports] == counted


def test_a_run_that_was_deleted_meanwhile_stops_nobody(email_channel):
    open_site()
    run = Run(
        message_type="recurring_nudge",
        site_id=api.find_site("example.com").pk,
        today=TODAY,
        day_offset=-3,
        uuid=uuid4(),
    )
    ledger.finalize(run, timezone.now())
    assert not SendRun.objects.exists()


def test_tasks_keep_their_names_whatever_module_they_stand_in():
    """Queues, routes and schedules of projects know them by these."""
    names = {name for name in current_app.tasks if name.startswith("schedules.")}
    assert names == {
        f"schedules.tasks.{name}"
        for name in (
            "deliver_batch",
            "flush_tracking",
            "follow_course",
            "note_reaction",
            "recover",
            "resolve_bin",
            "run_daily",
            "run_day",
            "send_test_bin",
        )
    }
