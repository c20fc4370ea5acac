"""Custom text: what may be stored, whose words a message says, and what arrives."""

import logging

import pytest
from django.contrib.sites.models import Site
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from markdown_it.renderer import RendererHTML

from schedules import custom_text
from schedules.contrib.lms.host import LmsHost
from schedules.contrib.lms.models import CourseEmailOptout
from schedules.exceptions import HostError
from schedules.models import CustomText, ScheduledMessage
from tests.emails import html_of
from tests.integration.custom_texts import NUDGE, write
from tests.world import TODAY, enable_deadlines, enroll, make_course, make_learner, open_site

pytestmark = pytest.mark.django_db


def send(command="send_recurring_nudge", **options):
    call_command(command, "example.com", date=TODAY.isoformat(), verbosity=0, **options)


class SilentHost(LmsHost):
    def courses(self, course_ids):
        raise HostError("down")


# What may be stored -------------------------------------------------------------------------------


def mistakes(**values):
    with pytest.raises(ValidationError) as refused:
        write(**values)
    assert not CustomText.objects.exists()
    return refused.value.message_dict


@pytest.mark.parametrize("field", ["subject", "intro", "button_label"])
def test_each_field_is_checked_before_it_is_saved(field):
    allowed = "{course}, {platform}, {name}, {week}, {deadline}"
    assert mistakes(**{field: "Go to {curse}"}) == {
        field: [f"This message has no placeholder {{curse}}. Choose from: {allowed}."]
    }
    assert mistakes(**{field: "x" * 3001}).keys() == {field}


def test_a_course_that_the_lms_does_not_know_is_refused(settings):
    assert mistakes(course_id="course-v1:No+Such+Course") == {
        "course_id": ["The LMS knows no course course-v1:No+Such+Course. Copy the id from the course's address."]
    }
    settings.SCHEDULES = {**settings.SCHEDULES, "HOST": f"{__name__}.SilentHost"}
    assert mistakes(course_id="course-v1:No+Such+Course") == {
        "course_id": ["The LMS did not answer, so it is not known whether there is such a course. Try again later."]
    }


def test_a_message_without_templates_and_a_language_that_is_not_written_are_refused(settings):
    settings.LANGUAGES = [("en", "English"), ("he", "Hebrew")]
    assert mistakes(message_name="recurringnudge_day4", language="xx") == {
        "message_name": ["There is no message recurringnudge_day4: it has no templates."],
        "language": ["No message is written in xx. Languages: en, he."],
    }


def test_words_are_kept_as_they_were_meant():
    garden = make_course()
    row = write(course_id=f" {garden.pk} ", subject=" Hello ", intro="One\r\ntwo\r\n", button_label="Go ")
    row.refresh_from_db()
    assert (row.course_id, row.subject, row.intro, row.button_label) == (str(garden.pk), "Hello", "One\ntwo", "Go")


def test_a_change_is_a_new_row_and_the_old_one_stays():
    write(subject="First")
    write(subject="Second")
    assert list(CustomText.objects.order_by("pk").values_list("subject", flat=True)) == ["First", "Second"]
    assert CustomText.current(Site.objects.get(), "", NUDGE, "").subject == "Second"


# Whose words --------------------------------------------------------------------------------------


def said(course_ids, language="en"):
    """The subject of a message about these courses."""
    words = custom_text.read(Site.objects.get().pk, NUDGE, [course_ids])
    return words.context(course_ids, language, {"platform_name": "Meadow"}).get("custom_subject")


def test_a_courses_words_come_before_its_sites():
    garden, water = str(make_course().pk), str(make_course().pk)
    write(subject="The site's")
    write(course_id=garden, subject="The garden's")
    assert said([garden]) == "The garden's"
    assert said([water]) == "The site's"


def test_a_message_about_several_courses_says_the_sites_words():
    garden, water = str(make_course().pk), str(make_course().pk)
    write(course_id=garden, subject="The garden's")
    assert said([garden, water]) is None
    write(subject="The site's")
    assert said([garden, water]) == "The site's"


def test_words_in_the_messages_language_come_before_those_for_every_language():
    write(subject="Every language")
    write(language="he", subject="Hebrew")
    assert said(["x"], "he") == "Hebrew"
    assert said(["x"], "en") == "Every language"


def test_a_courses_words_for_every_language_come_before_its_sites_for_this_one():
    garden = str(make_course().pk)
    write(language="he", subject="The site's, in Hebrew")
    write(course_id=garden, subject="The garden's")
    assert said([garden], "he") == "The garden's"


def test_a_row_is_taken_whole():
    garden = str(make_course().pk)
    write(subject="The site's", intro="The site's")
    write(course_id=garden, intro="The garden's")
    words = custom_text.read(Site.objects.get().pk, NUDGE, [[garden]])
    context = words.context([garden], "en", {})
    assert context == {"custom_intro_html": '<p dir="auto">The garden\'s</p>', "custom_intro_text": "The garden's"}


def test_words_that_are_switched_off_have_no_opinion():
    garden = str(make_course().pk)
    write(subject="The site's")
    write(course_id=garden, subject="The garden's")
    write(course_id=garden, subject="The garden's", enabled=False)
    assert said([garden]) == "The site's"


def test_words_of_another_message_or_site_are_not_said():
    write(message_name="recurringnudge_day10")
    write(site=Site.objects.create(domain="harbor.example.org"))
    assert custom_text.read(Site.objects.get(domain="example.com").pk, NUDGE, [["x"]]).words == {}


# What arrives -------------------------------------------------------------------------------------


def test_a_message_says_them_in_both_parts(email_channel):
    open_site()
    garden = make_course("Roses & <Thorns>")
    write(
        course_id=str(garden.pk),
        subject="Back to {course}?",
        intro="We **missed** you in {course}, at {platform}. [Look](https://example.com/new)",
        button_label="Open {course}",
    )
    enroll(make_learner(), garden)
    send()
    (mail,) = email_channel
    html = html_of(mail)
    assert mail.subject == "Back to Roses & <Thorns>?"
    assert "We missed you in Roses & <Thorns>, at Meadow University. Look (https://example.com/new)" in mail.body
    assert "Open Roses & <Thorns>\n" in mail.body
    assert "missed</strong> you in" in html
    assert "Roses &amp; &lt;Thorns&gt;" in html
    assert "<Thorns>" not in html
    assert "Your next lesson" not in html + mail.body


def test_each_learner_is_called_by_their_own_name(email_channel):
    open_site()
    garden = make_course()
    write(subject="{name}, the garden waits", intro="Dear {name}, go on.")
    enroll(make_learner(), garden)
    enroll(make_learner("bob"), garden)
    nobody = make_learner("carol")
    nobody.profile.delete()
    enroll(nobody, garden)
    send()
    said = {mail.subject: next(line for line in mail.body.splitlines() if "go on" in line) for mail in email_channel}
    assert said == {
        "Alice, the garden waits": "Dear Alice, go on.",
        "Bob, the garden waits": "Dear Bob, go on.",
        "The garden waits": "Dear, go on.",
    }


def test_a_logged_context_tells_no_name():
    """Django logs a template's whole context, at DEBUG, where a name is not found."""
    words = write(subject="Dear {name}", intro="Dear {name}", button_label="Dear {name}")
    context = custom_text.Words(words).context({"learner_name": "Alice"})
    assert context["custom_subject"] == "Dear Alice"
    assert "Alice" not in repr(context)


def test_a_name_that_runs_the_other_way_is_kept_apart(email_channel):
    open_site()
    write(subject="Back to {course}!", intro="Back to {course}!")
    enroll(make_learner(), make_course("שלום"))
    send()
    (mail,) = email_channel
    assert mail.subject == "Back to שלום!"  # as in the templates: lists of mails show the marks
    assert "Back to \u2068שלום\u2069!" in mail.body
    assert '<span dir="auto">שלום</span>!' in html_of(mail)


def test_the_week_and_the_deadline_are_told(email_channel):
    site = open_site()
    enable_deadlines(days=2)
    garden = make_course(price=10, weeks=[["Sow"]])
    write(site, "upgradereminder", subject="Only until {deadline}")
    write(site, "courseupdate", subject="Week {week} of {course}")
    enroll(make_learner(), garden, days_ago=7)
    enroll(make_learner("bob"), make_course("Water", price=10), days_ago=0)
    send("send_course_update")
    send("send_upgrade_reminder")
    assert [mail.subject for mail in email_channel] == ["Week 1 of A Garden in a Year", "Only until March 11, 2026"]


def test_an_opted_out_learner_is_not_written_to_whatever_the_words(email_channel):
    open_site()
    garden = make_course()
    write(course_id=str(garden.pk))
    alice = make_learner()
    enroll(alice, garden)
    CourseEmailOptout.objects.create(user=alice, course=garden)
    send()
    assert email_channel == []


def test_a_test_run_says_them_too(email_channel):
    open_site()
    write(subject="Custom text")
    enroll(make_learner(), make_course())
    send(override_recipient_email="operator@example.org")
    assert [(mail.to, mail.subject) for mail in email_channel] == [(["operator@example.org"], "Custom text")]


@pytest.mark.parametrize("broken", [{"subject": "Week {week}"}, {"intro": "In {curse}"}])
def test_words_that_cannot_be_used_do_not_stop_a_message(email_channel, caplog, broken):
    open_site()
    row = write(subject="Fine", intro="Fine")
    CustomText.objects.filter(pk=row.pk).update(**broken)
    enroll(make_learner(), make_course())
    with caplog.at_level(logging.ERROR):
        send()
    assert ScheduledMessage.objects.get().status == ScheduledMessage.Status.SENT
    (mail,) = email_channel
    assert "Fine" not in mail.subject + mail.body
    assert f"Custom text {row.pk} cannot be used: NoValueError" in caplog.text
    assert "curse}" not in caplog.text
    assert "alice" not in caplog.text


def test_words_that_markdown_breaks_at_do_not_stop_a_message(email_channel, caplog, monkeypatch):
    open_site()
    row = write(intro="Fine")
    enroll(make_learner(), make_course())

    def break_down(_renderer, tokens, options, env):
        raise RuntimeError(f"cannot bear {env['values']}")

    monkeypatch.setattr(RendererHTML, "render", break_down)
    send()
    assert len(email_channel) == 1
    assert f"Custom text {row.pk} cannot be used: RuntimeError" in caplog.text
    assert "cannot bear {'course'" not in caplog.text


def test_a_change_is_seen_by_the_next_batch(email_channel):
    """django-config-models would cache the row in this process."""
    open_site()
    garden = make_course()
    write(subject="First")
    enroll(make_learner(), garden)
    send()
    write(subject="Second")
    enroll(make_learner("bob"), garden)
    send()
    assert [mail.subject for mail in email_channel] == ["First", "Second"]


def count_queries_of_words(learners):
    """Queries for custom text while so many learners of one bin are written to, each about a course of their own."""
    for number in range(learners):
        garden = make_course(number=f"N{learners}.{number}")
        write(course_id=str(garden.pk), subject="Hello {course}")
        enroll(make_learner(f"learner{learners}.{number}", pk=24 * (100 * learners + number)), garden)
    with CaptureQueriesContext(connection) as queries:
        send()
    return len([one for one in queries if "schedules_customtext" in one["sql"]])


def test_the_words_of_a_batch_are_one_query_however_many_learners(email_channel):
    open_site()
    assert count_queries_of_words(1) == 1
    assert count_queries_of_words(50) == 1
    assert [mail.subject for mail in email_channel] == ["Hello A Garden in a Year"] * 51
