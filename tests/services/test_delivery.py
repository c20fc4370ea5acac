"""Delivery that loses nothing and doubles nothing, on each database with each broker."""

import os
import random

import pytest

from tests.services.brokers import BROKERS, addresses_in
from tests.services.databases import DATABASES
from tests.services.inside import DUE_DOMAIN
from tests.services.mail import REFUSED_DOMAIN
from tests.services.scenario import Scenario, Size

SIZE = Size(
    messages=int(os.environ.get("SERVICES_MESSAGES", "2400")),
    kills=int(os.environ.get("SERVICES_KILLS", "20")),
    seconds=float(os.environ.get("SERVICES_SECONDS", "270")),
    lease_seconds=int(os.environ.get("SERVICES_LEASE_SECONDS", "20")),
)


@pytest.fixture(params=DATABASES)
def database_kind(request):
    return DATABASES[request.param]


@pytest.fixture(params=BROKERS)
def broker_kind(request):
    return BROKERS[request.param]


def test_nothing_is_lost_and_nothing_is_doubled(database_kind, broker_kind, services, results, tmp_path):
    services(database_kind, broker_kind)
    seed = int(os.environ.get("SERVICES_SEED", random.SystemRandom().randrange(10**6)))
    result = Scenario(database_kind(), broker_kind(tmp_path), SIZE, seed, tmp_path).run()
    results.append(result)
    rows = result.ledger["rows"]
    address_of = {f"<{row['uuid']}@example.com>": row["to"] for row in rows}

    assert len(result.expected) >= SIZE.messages - SIZE.refused
    assert not result.lost
    assert {one.recipient for one in result.accepted} == result.expected, "who was not due got a message"
    assert len(result.copies) == len(result.expected), "a copy has another Message-ID than its original"
    assert all(address_of.get(one.message_id) == one.recipient for one in result.accepted)
    assert result.duplicates <= result.killed
    assert result.kills >= SIZE.kills * 3 // 4

    assert {row["status"] for row in rows} == {"sent", "failed"}
    assert len(rows) == SIZE.messages
    assert {row["to"] for row in rows if row["status"] == "sent"} == result.expected
    refusals = [row for row in rows if row["status"] == "failed"]
    assert len(refusals) == SIZE.refused
    for row in refusals:
        assert row["to"].endswith(f"@{REFUSED_DOMAIN}")
        assert "550" in row["reason"]
        assert "no such mailbox" in row["reason"]
        assert row["to"] not in row["reason"]

    assert sum(run["totals"]["sent"] for run in result.ledger["runs"]) == len(result.copies)
    assert any("schedules.tasks.deliver_batch" in message for message in result.carried)
    assert not list(addresses_in(result.carried, (DUE_DOMAIN, REFUSED_DOMAIN)))
