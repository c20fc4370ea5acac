"""Ids are compared byte for byte: a check names a column that does otherwise."""

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.state import ModelState

from schedules.checks import check_collations
from schedules.models import Schedule
from schedules.optouts import OptOutScope, opt_out, scopes_of
from tests.world import make_learner, open_site

pytestmark = pytest.mark.django_db


def test_two_ids_that_differ_by_case_accents_or_blanks_are_two_courses():
    site, alice = open_site(), make_learner()
    ids = ["course-v1:CaseX+Intro+2026", "course-v1:casex+intro+2026", "course-v1:CáseX+Intro+2026"]
    ids.append(f"{ids[0]} ")
    for course_id in ids:
        opt_out(alice.pk, OptOutScope(site_id=site.pk, course_id=course_id))
    assert [scope.course_id for scope in scopes_of(alice.pk)] == sorted(ids)


def test_all_is_well_after_migrating():
    assert check_collations(databases=["default"]) == []
    assert check_collations(databases=None) == []


@pytest.mark.parametrize(
    ("collation", "folds"), [("NOCASE", "upper case for lower"), ("RTRIM", "a blank at the end for none")]
)
def test_a_column_that_folds_is_named(collation, folds, capsys):
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE schedules_optout")
        cursor.execute(f'CREATE TABLE schedules_optout ("course_id" varchar(255) COLLATE {collation})')
    (found,) = check_collations(databases=["default"])
    assert found.id == "schedules.W014"
    assert "course_id of schedules_optout" in found.msg
    assert folds in found.msg
    call_command("check", databases=["default"])
    assert "schedules.W014" in capsys.readouterr().err


def test_no_collation_of_one_database_stands_in_the_migrations():
    state = ModelState.from_model(Schedule)
    assert state.fields["course_id"].db_collation is None
