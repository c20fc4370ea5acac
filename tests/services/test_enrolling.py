"""Nothing of ours harms an enrollment, whatever the database; and a course is followed though workers die."""

import json
import os
import subprocess
import sys
import time
from functools import partial

import pytest

from tests.services.databases import MariaDB, PostgreSQL
from tests.services.processes import ROOT, Process

LEARNERS = 40

each_level = pytest.mark.parametrize(
    ("database", "level"),
    [(MariaDB, "repeatable read"), (MariaDB, "read committed"), (PostgreSQL, "")],
    indirect=["database"],
    ids=["MariaDB, repeatable read", "MariaDB, read committed", "PostgreSQL"],
)
each_database = pytest.mark.parametrize("database", [MariaDB, PostgreSQL], indirect=True)


@pytest.fixture(scope="module")
def migrated():
    """A function that returns a database with all tables, one of each kind for all tests here."""
    made = {}

    def get(kind):
        if kind not in made:
            made[kind] = kind()
            made[kind].create()
            in_a_process(made[kind], "migrate")
        return made[kind]

    yield get
    for one in made.values():
        one.drop()


@pytest.fixture
def database(request, services, migrated):
    services(request.param)
    return migrated(request.param)


@pytest.fixture
def inside(database):
    """A function that does something in a process of its own, on the database, and returns what it printed."""
    return partial(in_a_process, database)


def in_a_process(database, *arguments, **more):
    done = subprocess.run(
        [sys.executable, "-m", "tests.services.enrolling", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment(database), **more},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def environment(database):
    return {
        "DJANGO_SETTINGS_MODULE": "tests.services.settings",
        "DATABASE_URL": database.url,
        "SERVICES_SMTP_PORT": "1",
        "SERVICES_LEASE_SECONDS": "1",
        "SERVICES_RATE": "",
        "SERVICES_EAGER": "1",
        "PYTHONWARNINGS": "ignore",
    }


@each_level
def test_who_enrolls_at_the_same_time_is_enrolled(inside, level):
    found = json.loads(inside("enroll", str(LEARNERS), SERVICES_ISOLATION=level))
    assert found["calls"] == {"returned": LEARNERS}
    assert found["CourseEnrollment"] == LEARNERS
    assert found["Schedule"] + found["HoldBack"] == LEARNERS
    assert found["ScheduleExperience"] == found["Schedule"]


@each_level
def test_news_of_one_learner_that_come_at_the_same_time_make_one_schedule(inside, level):
    found = json.loads(inside("signals", "5", SERVICES_ISOLATION=level))
    assert found["calls"] == {"returned": 40}
    assert found["Schedule"] == found["ScheduleExperience"] == 2  # one in each of two courses


@each_database
def test_a_course_is_followed_though_its_worker_is_killed(inside, database, tmp_path):
    inside("fill", "200")
    worker = Process("worker", ["-m", "tests.services.enrolling", "follow"], environment(database), tmp_path)
    while not (position := database.rows("SELECT last_schedule_id FROM schedules_coursechange")[0][0]):
        assert worker.is_running, worker.said()
        time.sleep(0.1)
    worker.kill()
    moved = "SELECT COUNT(*) FROM schedules_schedule WHERE start_date > '2026-02-20'"
    assert 0 < database.rows(moved)[0][0] < 200
    assert position
    time.sleep(2)  # the time after which nobody answers for it
    inside("recover")
    assert database.rows(moved)[0][0] == 200
    assert database.rows("SELECT * FROM schedules_coursechange") in ([], ())


@each_database
def test_ids_that_differ_by_case_accents_or_blanks_are_different_ids(inside):
    found = json.loads(inside("ids"))
    assert found["opt_outs"] == found["deadlines"] == found["overrides"] == found["given"]
    assert found["checks"] == []
    assert found["given"][:2] == found["found_by_staff"][:2]


@pytest.mark.parametrize("database", [MariaDB], indirect=True)
def test_a_column_that_folds_is_named(inside, database):
    changed = {"schedules_optout": ("course_id", "utf8mb4_bin"), "schedules_schedule": ("org", "utf8mb4_general_ci")}
    database.rows("DELETE FROM schedules_optout")  # of another test, perhaps: some of its ids would be one now
    try:
        for table, (column, collation) in changed.items():
            database.rows(f"ALTER TABLE {table} MODIFY {column} varchar(255) COLLATE {collation} NOT NULL")
        first, second = json.loads(inside("ids", "check"))["checks"]
    finally:
        for table, (column, _) in changed.items():
            database.rows(f"ALTER TABLE {table} MODIFY {column} varchar(255) COLLATE utf8mb4_nopad_bin NOT NULL")
    assert "org of schedules_schedule takes upper case for lower" in first
    assert "course_id of schedules_optout takes a blank at the end for none" in second
