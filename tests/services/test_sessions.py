"""A run in one process, whose sessions with the database are ended again and again: each time it gets a new one."""

import json
import os
import subprocess
import sys
import time

import pytest

from tests.services.databases import MariaDB, PostgreSQL
from tests.services.mail import MailServer
from tests.services.processes import ROOT, Process
from tests.world import TODAY

MESSAGES = 60


@pytest.fixture
def mail():
    server = MailServer(seed=1)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def database(request, services):
    services(request.param)
    database = request.param()
    database.create()
    yield database
    database.drop()


@pytest.fixture
def environment(database, mail):
    """Without a broker: Celery runs the tasks in the calling process."""
    return {
        "DJANGO_SETTINGS_MODULE": "tests.services.settings",
        "DATABASE_URL": database.url,
        "SERVICES_SMTP_PORT": str(mail.port),
        "SERVICES_LEASE_SECONDS": "60",
        "SERVICES_RATE": "",
        "PYTHONWARNINGS": "ignore",
    }


@pytest.mark.parametrize("database", [PostgreSQL, MariaDB], indirect=True)
def test_a_run_in_one_process_survives_the_end_of_each_session(database, mail, environment, tmp_path):
    def inside(*arguments):
        return subprocess.check_output([sys.executable, *arguments], cwd=ROOT, env={**os.environ, **environment})

    inside("manage.py", "migrate", "--verbosity=0")
    inside("-m", "tests.services.inside", "fill", str(MESSAGES), "0")
    arguments = ["manage.py", "send_recurring_nudge", "example.com", "--date", TODAY.isoformat()]
    command = Process("command", arguments, environment, tmp_path)
    for count in range(0, MESSAGES, 10):
        while mail.count() <= count and command.is_running:
            time.sleep(0.01)
        database.end_sessions()
    assert command.popen.wait(timeout=120) == 0, command.said()
    assert len(mail.accepted) == mail.count() == MESSAGES
    found = json.loads(inside("-m", "tests.services.inside", "report"))
    assert [row["status"] for row in found["rows"]] == ["sent"] * MESSAGES
    assert all(run["finished"] for run in found["runs"])
