"""Delivery that loses nothing and doubles nothing, on each database with each broker."""

import os
import random

import pytest

from tests.services.brokers import RabbitMQ, Redis, addresses_in
from tests.services.databases import MariaDB, OwnMariaDB, OwnPostgreSQL, PostgreSQL
from tests.services.inside import DUE_DOMAIN
from tests.services.mail import REFUSED_DOMAIN
from tests.services.processes import POOL
from tests.services.scenario import WORKERS, Scenario, Size

KILLS = int(os.environ.get("SERVICES_KILLS", "20"))
LONG = Size(
    messages=int(os.environ.get("SERVICES_MESSAGES", "1600")),
    seconds=float(os.environ.get("SERVICES_SECONDS", "900")),
    lease_seconds=int(os.environ.get("SERVICES_LEASE_SECONDS", "24")),
)
ROUNDS = max(1, LONG.messages // 2400)
SHORT = Size(messages=300, refused=5, seconds=300)
FAILOVERS = Size(messages=400, refused=5, seconds=600)
SLEEPY = Size(messages=300, refused=5, seconds=300, lease_seconds=12)
LIMITED = Size(messages=100, refused=5, seconds=300, rate=10)

each_pair = pytest.mark.parametrize(
    ("database", "broker"), [(database, broker) for database in (PostgreSQL, MariaDB) for broker in (Redis, RabbitMQ)]
)
each_once = pytest.mark.parametrize(("database", "broker"), [(PostgreSQL, RabbitMQ), (MariaDB, Redis)])


@pytest.fixture
def start(services, tmp_path):
    """A function that runs a scenario and returns its result, after what holds for each of them was asserted."""

    def run(database, broker, size, plan):
        services(database, broker)
        seed = int(os.environ.get("SERVICES_SEED", random.SystemRandom().randrange(10**6)))
        result = Scenario(database(), broker(tmp_path), size, seed, tmp_path).run(plan)
        assert_nothing_is_lost(result, size)
        assert_the_table_is_what_arrived(result)
        assert_nobody_is_named(result, tmp_path)
        return result

    return run


@each_pair
def test_nothing_is_lost_and_nothing_is_doubled(database, broker, start, results):
    result = start(database, broker, LONG, lambda chaos: chaos.everything(KILLS, ROUNDS))
    results.append(result)
    assert result.kills >= KILLS * 3 // 4  # now and then there is no process to kill
    assert result.duplicates <= result.killed
    assert any("schedules.tasks.deliver_batch" in message for message in result.carried)


@each_once
def test_only_a_killed_worker_makes_a_copy(database, broker, start):
    result = start(database, broker, SHORT, lambda chaos: chaos.all_but_kills())
    assert result.duplicates == 0


@each_once
def test_a_worker_killed_before_it_heard_yes_makes_one_copy(database, broker, start):
    result = start(database, broker, SHORT, lambda chaos: chaos.worst_moments(3))
    assert result.duplicates == result.killed == 3


@pytest.mark.parametrize(("database", "broker"), [(OwnPostgreSQL, RabbitMQ), (OwnMariaDB, Redis)])
def test_a_database_that_is_read_only_now_and_then_makes_no_copy(database, broker, start):
    result = start(database, broker, FAILOVERS, lambda chaos: chaos.failovers(10, 4))
    assert result.killed == 0
    assert result.duplicates == 0


@each_once
def test_a_worker_that_sleeps_through_its_lease_makes_one_copy(database, broker, start):
    seconds = SLEEPY.lease_seconds * 1.5
    result = start(database, broker, SLEEPY, lambda chaos: chaos.suspensions(4, seconds))
    assert result.killed == 0
    assert result.suspended == 4
    assert result.duplicates <= result.suspended


@each_once
def test_workers_share_the_rate_limit(database, broker, start):
    result = start(database, broker, LIMITED, lambda chaos: [])
    assert result.duplicates == 0
    assert set(result.told.values()) == {1}
    processes = WORKERS * POOL
    for seconds in (0.5, 1, 2, 4, 8):
        # In so many seconds so many turns come, the borders counted; and each process may be late with one.
        assert result.most_within(seconds) <= LIMITED.rate * seconds + 1 + processes


def assert_nothing_is_lost(result, size):
    """Whoever is due got their message, and each copy is recognizably the same message."""
    rows = result.ledger["rows"]
    address_of = {f"<{row['uuid']}@example.com>": row["to"] for row in rows}
    assert len(result.expected) == size.messages - size.refused
    assert not result.lost
    assert {one.recipient for one in result.accepted} == result.expected, "who was not due got a message"
    assert len(result.copies) == len(result.expected), "a copy has another Message-ID than its original"
    assert all(address_of.get(one.message_id) == one.recipient for one in result.accepted)

    assert len(rows) == size.messages
    assert {row["status"] for row in rows} == {"sent", "failed"}, "something is stuck"
    assert {row["to"] for row in rows if row["status"] == "sent"} == result.expected
    assert set(result.told) == {f"edx.bi.email.sent:{row['uuid']}" for row in rows if row["status"] == "sent"}
    refusals = [row for row in rows if row["status"] == "failed"]
    assert len(refusals) == size.refused
    for row in refusals:
        assert row["to"].endswith(f"@{REFUSED_DOMAIN}")
        assert "550" in row["reason"]
        assert "no such mailbox" in row["reason"]
        assert "@" not in row["reason"]


def assert_the_table_is_what_arrived(result):
    """The runs are finished, and their totals, as printed, stored and counted, are what the mail server received."""
    runs = result.ledger["runs"]
    assert all(run["finished"] for run in runs)
    assert sum(run["totals"]["sent"] for run in runs) == len(result.copies)
    assert result.printed_sent == len(result.copies)
    assert sum(run["stored"]["sent"] for run in runs) == len(result.copies)
    assert sum(sum(run["totals"]["failed"].values()) for run in runs) == len(result.ledger["due"]) - len(result.copies)


def assert_nobody_is_named(result, folder):
    """No address is in what was seen in the broker, and none in what workers, beat and commands said."""
    said = [path.read_text(encoding="utf-8", errors="replace") for path in folder.glob("*.log")]
    assert said
    assert not list(addresses_in([*result.carried, *said], (DUE_DOMAIN, REFUSED_DOMAIN)))
