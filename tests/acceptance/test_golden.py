"""Whole e-mails, as they arrive, against the ones that were looked at and found good.

After a change of words or looks: `pytest tests/acceptance/test_golden.py --update-golden`, and read the diff.
"""

import pytest
from django.core.management import call_command

from schedules.models import Schedule
from tests.world import TODAY, enable_deadlines, enroll, make_course, make_learner, open_site, started

HOSTILE = "Bees & “Wasps”: <b>friends</b>\r\nBcc: everybody@example.com"
HEBREW = "מבוא לספרות <b>עברית</b>"


def one_course(language, name, **fields):
    enroll(make_learner(), make_course(name, language=language, price=49, **fields), days_ago=3)


def several_courses(language, name):
    alice = make_learner()
    for course_name, price in ((name, 0), ("Clean Water", 49), ("Statistics", 29)):
        enroll(alice, make_course(course_name, language=language, price=price), days_ago=3)


def update(language, name):
    weeks = [["Look & listen", "Read “<i>The Hive</i>”"]]
    enroll(make_learner(), make_course(name, language=language, price=49, weeks=weeks), days_ago=7)


def due_after(days):
    return lambda: Schedule.objects.update(start_date=started(days))


def due_before_the_deadline():
    Schedule.objects.exclude(upgrade_deadline=None).update(upgrade_deadline=started(-2))


CASES = {
    "recurringnudge_day3.en": ("send_recurring_nudge", one_course, "en", "A Garden in a Year", due_after(3)),
    "recurringnudge_day3.he": ("send_recurring_nudge", one_course, "he", HEBREW, due_after(3)),
    "recurringnudge_day3.several": ("send_recurring_nudge", several_courses, "en", HOSTILE, due_after(3)),
    "recurringnudge_day10.en": ("send_recurring_nudge", one_course, "en", HOSTILE, due_after(10)),
    "recurringnudge_day19.en": ("send_recurring_nudge", one_course, "en", "A Garden in a Year", due_after(19)),
    "upgradereminder.en": ("send_upgrade_reminder", one_course, "en", HOSTILE, due_before_the_deadline),
    "upgradereminder.he": ("send_upgrade_reminder", one_course, "he", HEBREW, due_before_the_deadline),
    "upgradereminder.several": ("send_upgrade_reminder", several_courses, "en", HOSTILE, due_before_the_deadline),
    "courseupdate.en": ("send_course_update", update, "en", HOSTILE, lambda: None),
    "courseupdate.he": ("send_course_update", update, "he", HEBREW, lambda: None),
}


@pytest.mark.django_db
@pytest.mark.parametrize("case", CASES)
def test_an_email_arrives_as_it_was_approved(case, email_channel, settings, assert_approved):
    settings.SCHEDULES = {"RECURRING_NUDGE_DAYS": [3, 10, 19]}
    command, school, language, name, make_due = CASES[case]
    open_site()
    enable_deadlines()
    school(language, name)
    make_due()
    call_command(command, "example.com", date=TODAY.isoformat(), verbosity=0)
    (mail,) = email_channel
    ((html, kind),) = [(part.content, part.mimetype) for part in mail.alternatives]
    assert kind == "text/html"
    assert "\n" not in mail.subject
    assert [header for header in mail.message() if header.lower() == "bcc"] == []
    assert_approved(f"{case}.txt", f"Subject: {mail.subject}\n\n{mail.body}")
    assert_approved(f"{case}.html", html)
