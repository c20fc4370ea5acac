"""Days that were missed are done by the next run, as an operator or Celery beat starts it."""

import json
import logging
import re
from datetime import UTC, datetime, time, timedelta
from io import StringIO

import edx_ace.delivery
import pytest
from celery import current_app
from django.contrib.sites.models import Site
from django.core.management import CommandError, call_command
from django.utils import timezone

from schedules.daily import run_day
from schedules.models import ScheduledMessage, SendRun
from tests.documentation import code_blocks, part
from tests.failing_database import refusing
from tests.world import TODAY, enroll, make_course, make_learner, open_site, perform

pytestmark = pytest.mark.django_db

COMMANDS = ["send_recurring_nudge", "send_upgrade_reminder", "send_course_update"]


@pytest.fixture
def clock(monkeypatch):
    """Sets what time it is: six in the morning, so many days after `TODAY`."""

    def go_to(days, hour=6):
        now = datetime.combine(TODAY + timedelta(days=days), time(hour), tzinfo=UTC)
        monkeypatch.setattr(timezone, "now", lambda: now)
        monkeypatch.setattr(edx_ace.delivery, "get_current_time", lambda: now)  # edx-ace has a clock of its own

    go_to(0)
    return go_to


def run(command="send_recurring_nudge", **options):
    out = StringIO()
    call_command(command, "example.com", stdout=out, **options)
    return out.getvalue()


def days(output):
    return re.findall(r"^\w+ for example\.com on (\S+)$", output, re.M)


def after(*numbers):
    return [str(TODAY + timedelta(days=number)) for number in numbers]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_first_run_ever_is_for_today_alone(command, mailbox, clock):
    open_site()
    assert days(run(command)) == after(0)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_next_run_does_the_days_that_were_missed_oldest_first(command, mailbox, clock):
    open_site()
    run(command)
    clock(3)
    assert days(run(command)) == after(1, 2, 3)
    assert days(run(command)) == after(3)


def test_learners_of_the_missed_days_get_their_message_once(mailbox, clock):
    open_site()
    garden = make_course()
    for number, name in enumerate(["alice", "bob", "carol", "dan", "eve"]):
        enroll(make_learner(name), garden, days_ago=3 - number)
    run()
    clock(3)
    said = run()
    assert [" ".join(line.split()) for line in said.splitlines() if "day3 " in line] == [
        "recurringnudge_day3 -3 1 0 1 0 0"
    ] * 3
    run()
    names = ScheduledMessage.objects.filter(status="sent").values_list("user__username", flat=True)
    assert sorted(names) == ["alice", "bob", "carol", "dan"]
    assert len(list(mailbox.glob("20*.html"))) == 4


def test_it_goes_back_so_many_days_and_no_further(mailbox, clock, settings):
    open_site()
    run()
    clock(20)
    assert days(run()) == after(17, 18, 19, 20)
    settings.SCHEDULES = {**settings.SCHEDULES, "CATCH_UP_DAYS": 0}
    clock(25)
    assert days(run()) == after(25)


def test_each_site_and_type_has_a_memory_of_its_own(mailbox, clock):
    open_site()
    open_site("river.example.com")
    run()
    call_command("send_recurring_nudge", "river.example.com", verbosity=0)
    clock(2)
    call_command("send_recurring_nudge", "river.example.com", verbosity=0)
    assert days(run("send_course_update")) == after(2)
    assert days(run()) == after(1, 2)


def test_a_run_for_another_day_leaves_the_memory_alone(mailbox, clock):
    open_site()
    run(date=after(-5)[0])
    clock(1)
    assert days(run(date=after(0)[0])) == after(0)
    assert days(run(date=after(4)[0])) == after(4)
    assert days(run()) == after(1)
    clock(4)
    run(date=after(2)[0])
    assert days(run()) == after(2, 3, 4)


def test_a_run_that_a_switch_stopped_missed_nothing(mailbox, clock):
    open_site()
    run()
    open_site(enqueue_recurring_nudge=False)
    clock(1)
    assert "Nothing was queued" in run()
    open_site()
    clock(2)
    assert days(run()) == after(2)


def test_a_day_that_was_not_finished_is_done_again(mailbox, clock):
    open_site()
    run()
    SendRun.objects.filter(day_offset=-10).update(finished_at=None)
    clock(1)
    assert days(run()) == after(0, 1)
    assert days(run()) == after(1)


@pytest.mark.django_db(transaction=True)
def test_a_process_that_dies_half_way_leaves_a_day_that_is_not_finished(mailbox, clock):
    open_site()
    enroll(make_learner(), make_course(), days_ago=9)  # for the second run of the next day
    run()
    clock(1)
    with refusing(KeyboardInterrupt(), "INSERT", "schedules_scheduledmessage"), pytest.raises(KeyboardInterrupt):
        run()
    assert SendRun.objects.filter(finished_at=None).get().day_offset == -10
    clock(2)
    assert days(run()) == after(1, 2)


def test_no_catch_up_does_today_alone(mailbox, clock):
    open_site()
    run()
    clock(3)
    assert days(run(no_catch_up=True)) == after(3)
    assert days(run()) == after(3)


def test_a_test_catches_nothing_up(mailbox, clock):
    open_site()
    run()
    clock(3)
    assert days(run(override_recipient_email="me@example.org")) == after(3)
    assert days(run()) == after(1, 2, 3)


def test_since_does_every_day_from_that_one(mailbox, clock, settings):
    settings.SCHEDULES = {**settings.SCHEDULES, "RECURRING_NUDGE_DAYS": [3]}
    open_site()
    assert days(run(since=after(-2)[0])) == after(-2, -1, 0)
    assert days(run(since=after(0)[0])) == after(0)
    assert len(days(run(since=after(-30)[0]))) == 31


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["2026-03-10"], "^--since is 2026-03-10, which is later than today, 2026-03-09; give"),
        (["2026-02-06"], "^--since is 2026-02-06, more than 30 days ago; give 2026-02-07 or later"),
        (["yesterday"], "--since: 'yesterday' cannot be used; give a day of the calendar as YYYY-MM-DD"),
        ([""], "--since: '' cannot be used; give a day"),
        (["2026-03-08", "--date", "2026-03-08"], "--date: not allowed with argument --since"),
        (["2026-03-08", "--no-catch-up"], "--no-catch-up: not allowed with argument --since"),
    ],
)
def test_days_that_cannot_be_meant_are_refused_in_one_line(arguments, said, clock):
    open_site()
    with pytest.raises(CommandError, match=said) as refusal:
        call_command("send_recurring_nudge", "example.com", "--since", *arguments)
    assert "\n" not in str(refusal.value)
    assert not SendRun.objects.exists()


def test_today_is_that_of_the_calendar_in_the_zone(mailbox, clock, settings):
    settings.SCHEDULES = {**settings.SCHEDULES, "TIME_ZONE": "Asia/Tokyo"}
    open_site()
    clock(0, hour=16)
    assert days(run()) == after(1)
    clock(2, hour=14)
    assert days(run()) == after(2)


# Without cron -------------------------------------------------------------------------------------


def test_the_task_does_what_the_command_does(mailbox, clock, caplog):
    caplog.set_level(logging.INFO, "schedules")
    open_site()
    garden = make_course()
    enroll(make_learner("alice"), garden, days_ago=3)
    enroll(make_learner("bob"), garden, days_ago=2)
    run_day("recurring_nudge", "Example.com")
    clock(2)
    run_day("recurring_nudge", "example.com")
    days_run = sorted({str(one) for one in SendRun.objects.values_list("date", flat=True)})
    assert days_run == after(0, 1, 2)
    assert len(list(mailbox.glob("20*.html"))) == 2
    assert re.findall(r"recurringnudge_day3 for example\.com on (\S+), run", caplog.text) == after(0, 1, 2)


@pytest.mark.parametrize(
    ("message_type", "domain", "said"),
    [
        ("recurring_nudge", "nowhere.example.com", "There is no site 'nowhere.example.com'"),
        ("postcard", "example.com", "There is no message type 'postcard'"),
    ],
)
def test_what_the_task_refuses_is_logged_as_an_error(message_type, domain, said, caplog):
    open_site()
    run_day(message_type, domain)
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert said in record.getMessage()
    assert not SendRun.objects.exists()


def test_a_switch_that_is_off_is_logged(caplog):
    open_site(enqueue_recurring_nudge=False)
    run_day("recurring_nudge", "example.com")
    assert "nothing was queued, enqueue-disabled" in caplog.text


@pytest.mark.all_bins
def test_two_schedulers_at_once_send_each_message_once(broker, email_channel, clock):
    open_site()
    garden = make_course()
    for number in range(1, 6):
        enroll(make_learner(f"learner{number}"), garden, days_ago=3)
    for _ in range(2):
        run_day("recurring_nudge", "example.com")
    bins = broker()
    assert len(bins) == 2 * 48
    half = len(bins) // 2
    perform([one for pair in zip(bins[:half], bins[half:], strict=True) for one in pair])
    batches = broker()
    perform([*batches, *reversed(batches)])
    assert len({tuple(mail.to) for mail in email_channel}) == len(email_channel) == 5
    assert not SendRun.objects.filter(finished_at=None).exists()


def beat_entries():
    (sample,) = code_blocks(part("howto/run-daily", "With Celery beat"), "python")
    names = {}
    exec(sample, names)  # noqa: S102 - our own documentation
    return names["CELERY_BEAT_SCHEDULE"]


def test_the_entries_of_celery_beat_in_the_docs_name_tasks_that_exist():
    current_app.loader.import_default_modules()
    assert {entry["task"] for entry in beat_entries().values()} <= set(current_app.tasks)


def test_the_entries_of_celery_beat_in_the_docs_run_each_type_daily(mailbox):
    Site.objects.update(domain="campus.example.com")
    open_site("campus.example.com")
    daily = [entry for entry in beat_entries().values() if entry["task"] == "schedules.tasks.run_daily"]
    for entry in daily:
        assert len(entry["schedule"].hour) == len(entry["schedule"].minute) == 1
        current_app.tasks[entry["task"]](*json.loads(json.dumps(entry["args"])))
    assert set(SendRun.objects.values_list("message_type", flat=True)) == {
        command.removeprefix("send_") for command in COMMANDS
    }
    assert SendRun.objects.filter(finished_at=None).count() == 0
