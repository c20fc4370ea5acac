"""One rate for all workers: they stand in one line, which the database keeps."""

import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django.db import OperationalError
from django.utils import timezone

from schedules.conf import conf
from schedules.exceptions import ConfigurationError, DeliveryError, RateLimited
from schedules.models import ChannelRate, ScheduledMessage
from schedules.sending import delivering, rate_limit
from schedules.values.runs import BINS
from tests.failing_database import refusing
from tests.world import TODAY, enroll, make_course, make_learner, open_site

CHANNEL = "django_email"
NOW = datetime(2026, 3, 9, 9, 0, tzinfo=UTC)


@pytest.fixture
def naps(monkeypatch):
    """Seconds that were waited, without waiting."""
    naps = []
    monkeypatch.setattr(time, "sleep", naps.append)
    return naps


@pytest.fixture
def rate(settings):
    def limit(**rates):
        settings.SCHEDULES = {**settings.SCHEDULES, "MESSAGES_PER_SECOND": rates}

    return limit


@pytest.mark.django_db
def test_without_a_limit_nothing_is_asked_of_the_database(naps, django_assert_num_queries):
    with django_assert_num_queries(0):
        rate_limit.wait(CHANNEL, NOW)
    assert naps == []


@pytest.mark.django_db
def test_another_channels_limit_is_no_limit(naps, rate, django_assert_num_queries):
    rate(sailthru_email=1)
    with django_assert_num_queries(0):
        rate_limit.wait(CHANNEL, NOW)


@pytest.mark.django_db
def test_each_message_waits_for_the_one_before(naps, rate):
    rate(django_email=4)
    for _ in range(4):
        rate_limit.wait(CHANNEL, NOW)
    assert naps == [0, 0.25, 0.5, 0.75]
    assert ChannelRate.objects.get().free_at == NOW + timedelta(seconds=1)


@pytest.mark.django_db
def test_time_that_passed_is_not_saved_up(naps, rate):
    rate(django_email=1)
    for seconds in (0, 60, 60, 60.5):
        rate_limit.wait(CHANNEL, NOW + timedelta(seconds=seconds))
    assert naps == [0, 0, 1, 1.5]


@pytest.mark.django_db
def test_a_known_channel_costs_two_statements(naps, rate, django_assert_num_queries):
    rate(django_email=1)
    rate_limit.wait(CHANNEL, NOW)
    with django_assert_num_queries(4):  # with the savepoint of a test
        rate_limit.wait(CHANNEL, NOW)


@pytest.mark.django_db
def test_who_is_not_served_soon_is_sent_away_behind_those_before(naps, rate):
    rate(django_email=1)
    away = []
    for _ in range(8):
        try:
            rate_limit.wait(CHANNEL, NOW)
        except RateLimited as later:
            away.append((later.retry_at - NOW).total_seconds())
    assert naps == [0, 1, 2, 3, 4]
    assert away == [5, 6, 7]
    # Nobody holds a slot that they do not use: the sixth is still free.
    rate_limit.wait(CHANNEL, NOW + timedelta(seconds=5))
    assert naps[-1] == 0


@pytest.mark.django_db
def test_a_database_that_is_busy_makes_the_message_wait(naps, rate):
    rate(django_email=1)
    with refusing(OperationalError(), "UPDATE", "schedules_channelrate"), pytest.raises(DeliveryError) as caught:
        rate_limit.wait(CHANNEL, NOW)
    assert caught.value.is_temporary


@pytest.mark.django_db
def test_being_sent_away_is_temporary(naps, rate):
    rate(django_email=0.1)
    rate_limit.wait(CHANNEL, NOW)
    with pytest.raises(RateLimited) as caught:
        rate_limit.wait(CHANNEL, NOW)
    assert caught.value.is_temporary
    assert caught.value.retry_at == NOW + timedelta(seconds=10)


@pytest.mark.django_db
def test_deliveries_take_turns(naps, rate, email_channel):
    rate(django_email=10)
    open_site()
    course = make_course()
    for number in range(3):
        enroll(make_learner(f"learner{number}"), course)
    call_command("send_recurring_nudge", "example.com", date=TODAY.isoformat(), verbosity=0)
    assert ScheduledMessage.objects.filter(status="sent").count() == len(naps) == len(email_channel) == 3
    assert ChannelRate.objects.get().channel == CHANNEL
    assert delivering.rate_limit is rate_limit


@pytest.mark.all_bins
@pytest.mark.django_db
def test_a_message_whose_turn_is_later_goes_back_until_then(naps, rate, email_channel):
    rate(django_email=0.01)  # one in 100 seconds; the first retry would be sooner
    open_site()
    course = make_course()
    for number in range(BINS + 1):  # the first and the last share a bin
        enroll(make_learner(f"learner{number}"), course)
    call_command("send_recurring_nudge", "example.com", date=TODAY.isoformat(), verbosity=0)
    assert len(email_channel) == 1
    later = ScheduledMessage.objects.filter(status="claimed").order_by("due_at")
    assert len(later) == BINS
    slot = ChannelRate.objects.get().free_at
    assert later[0].due_at >= slot
    assert later[BINS - 1].due_at >= slot + timedelta(seconds=100 * (BINS - 1))


WORKER = """
import json, os, sys, time
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
from django.conf import settings
settings.DATABASES["default"].update(json.loads(sys.argv[1]))
settings.SCHEDULES = {"MESSAGES_PER_SECOND": {"mail": 20}}
import django
django.setup()
from datetime import datetime
from schedules.sending import rate_limit
naps = []
time.sleep = naps.append
print("ready", flush=True)
now = datetime.fromisoformat(sys.stdin.readline().strip())
for _ in range(20):
    rate_limit.wait("mail", now)
print(json.dumps(naps))
"""

MIGRATE = """
import json, os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
from django.conf import settings
settings.DATABASES["default"].update(json.loads(sys.argv[1]))
import django
django.setup()
from django.db import connection
from schedules.models import ChannelRate
with connection.schema_editor() as editor:
    editor.create_model(ChannelRate)
"""


@pytest.mark.slow
def test_three_workers_together_keep_the_rate(tmp_path):
    database = json.dumps({"NAME": str(tmp_path / "pace.sqlite3"), "OPTIONS": {"timeout": 20}})
    subprocess.run([sys.executable, "-c", MIGRATE, database], check=True)  # noqa: S603 - our own interpreter
    workers = [
        subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, "-c", WORKER, database], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    for worker in workers:
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        worker.stdin.write(f"{NOW.isoformat()}\n")
        worker.stdin.flush()
    naps = sorted(nap for worker in workers for nap in json.loads(worker.communicate()[0]))
    # 20 a second, for all of them asked at the same instant: nobody has a turn of another's, and none is left out.
    assert naps == [turn / 20 for turn in range(60)]


@pytest.mark.parametrize("rates", [{"mail": 0}, {"mail": -1}, {"mail": "5"}, {"mail": True}, {5: 5}, 5, [5]])
def test_a_rate_that_is_none_is_refused(settings, rates):
    settings.SCHEDULES = {"MESSAGES_PER_SECOND": rates}
    with pytest.raises(ConfigurationError, match="MESSAGES_PER_SECOND"):
        _ = conf.messages_per_second


def test_a_worker_really_sleeps(db, rate):
    rate(django_email=5)
    for _ in range(3):
        rate_limit.wait(CHANNEL, timezone.now())
        turn = ChannelRate.objects.get().free_at - timedelta(seconds=1 / 5)
        assert turn <= timezone.now()
