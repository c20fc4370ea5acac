"""Previews: messages of sample data, by the code that sends."""

from __future__ import annotations

import copy
from datetime import date

import pytest
from django.contrib.sites.models import Site
from django.core.management import call_command

from schedules import message_types, previewing
from schedules.contrib.lms.models import LearnerProfile, SiteConfiguration
from schedules.exceptions import ConfigurationError, SkipRecipient
from schedules.message_types.recurring_nudge import RecurringNudge
from schedules.models import Schedule, ScheduledMessage, SendRun
from schedules.previewing import Preview, preview, sample_message, samples, variants_of
from tests.world import TODAY, enable_deadlines, enroll, make_course, make_learner, open_site

pytestmark = pytest.mark.django_db


def show(name="recurringnudge_day3", language="en", variant="one_course", **changes) -> Preview:
    return preview(name, language, variant, today=TODAY, **changes)


@pytest.mark.slow
def test_every_message_has_a_preview_in_every_language_and_variant():
    for name in message_types.messages():
        for language in previewing.languages():
            for variant in variants_of(name):
                shown = show(name, language, variant)
                assert all((shown.subject, shown.from_name, shown.preheader, shown.text)), (name, language, variant)
                assert f'lang="{language}"' in shown.html
                assert "\n" not in shown.subject + shown.from_name + shown.preheader


def test_a_message_has_the_variants_that_it_can_have():
    assert variants_of("recurringnudge_day3") == list(previewing.VARIANTS)
    assert "several_courses" not in variants_of("courseupdate")
    assert "without_upsell" not in variants_of("upgradereminder")
    with pytest.raises(SkipRecipient):
        show("upgradereminder", variant="without_upsell")


def test_the_variants_show_what_they_are_called():
    upsell = "Earn a verified certificate"
    assert upsell in show().text
    assert upsell not in show(variant="without_upsell").text
    names = samples.names_in("en")
    several = show("upgradereminder", variant="several_courses")
    assert all(name in several.text for name in names.courses)
    longest = show("courseupdate", variant="longest_names")
    assert longest.from_name.startswith("AGardeninaYear")
    assert len(longest.from_name) >= 250
    assert samples.names_in("he").courses[0] in show(variant="other_direction").subject
    assert names.courses[0] in show(language="he", variant="other_direction").subject


def test_a_preview_reads_as_the_message_that_is_sent(email_channel):
    site = open_site()
    enable_deadlines()
    names = samples.names_in("en")
    alice = make_learner()
    LearnerProfile.objects.filter(user=alice).update(name=names.learner)
    enroll(alice, make_course(names.courses[0], language="en", price=49))
    call_command("send_recurring_nudge", site.domain, date=TODAY.isoformat(), verbosity=0)
    (sent,) = email_channel
    shown, message = show(site=site), sample_message("recurringnudge_day3", "en", site=site, today=TODAY)
    assert shown.subject == sent.subject
    assert set(message.headers) == set(sent.extra_headers)
    without_links = [line for line in shown.text.splitlines() if "://" not in line and "until" not in line]
    assert without_links == [line for line in sent.body.splitlines() if "://" not in line and "until" not in line]


def test_nothing_is_sent_and_nothing_is_stored(email_channel, mailbox):
    for variant in variants_of("recurringnudge_day3"):
        show(variant=variant)
    assert email_channel == []
    assert list(mailbox.iterdir()) == []
    assert (Schedule.objects.count(), ScheduledMessage.objects.count(), SendRun.objects.count()) == (0, 0, 0)


def test_a_preview_is_for_nobody():
    message = sample_message("recurringnudge_day3", "en", address="staff@example.com")
    assert message.recipient.lms_user_id == samples.NOBODY == 0
    assert message.recipient.email_address == "staff@example.com"


def test_a_site_s_own_values_are_shown():
    site = open_site("campus.example.com")
    values = {"platform_name": "Campus", "logo_url": "/logo.png", "email_from_address": "hello@campus.example.com"}
    SiteConfiguration.objects.create(site=site, enabled=True, site_values=values)
    shown = show(variant="several_courses", site=site)
    assert shown.from_name == "Campus"
    assert 'src="https://campus.example.com/logo.png"' in shown.html
    message = sample_message("recurringnudge_day3", "en", site=site)
    assert message.options["from_address"] == "hello@campus.example.com"
    assert "AGardeninaYear" not in shown.html
    assert "Campus" not in show("recurringnudge_day3", variant="longest_of_several", site=site).from_name


def test_without_a_site_the_settings_speak_and_samples_fill_the_gaps(settings):
    settings.PLATFORM_NAME = "Orchard School"
    settings.MOBILE_STORE_URLS = {}
    settings.CONTACT_EMAIL = ""
    shown = show(variant="several_courses")
    assert shown.from_name == "Orchard School"
    assert "App Store" in shown.text
    assert "help@example.com" in shown.text
    assert not Site.objects.filter(pk=samples.NOBODY).exists()


def test_a_course_s_name_and_custom_text_can_be_tried_out():
    assert "Bees" in show(course_name="Bees").subject
    message = sample_message("recurringnudge_day3", "en", custom_text={"custom_subject": "Come back"})
    assert message.context["custom_subject"] == "Come back"


def test_the_day_is_today_unless_it_is_given():
    assert "© 2031 " in preview("recurringnudge_day3", "en", today=date(2031, 5, 4)).text
    assert "©" in preview("recurringnudge_day3", "en").text


@pytest.mark.parametrize(
    ("name", "language", "variant", "refusal"),
    [
        ("nonesuch", "en", "one_course", "There is no message 'nonesuch'. There are: courseupdate, recurringnudge_"),
        ("courseupdate", "xx", "one_course", "There is no language 'xx'. There are: "),
        ("courseupdate", "en", "odd", "There is no variant 'odd'. There are: one_course, several_courses, "),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(name, language, variant, refusal):
    with pytest.raises(ConfigurationError) as raised:
        preview(name, language, variant)
    assert str(raised.value).startswith(refusal)


def test_a_deployment_without_a_channel_is_told_which_setting_to_mend(settings):
    settings.ACE_ENABLED_CHANNELS = []
    with pytest.raises(ConfigurationError, match="ACE_CHANNEL_DEFAULT_EMAIL"):
        show()


class Welcome(RecurringNudge):
    """A message type of a host's own."""

    key = "welcome"
    further_day_offsets = ()

    @classmethod
    def day_offsets(cls):
        return (-1,)

    @classmethod
    def message_name(cls, day_offset):
        return "welcome"


def test_a_message_type_of_a_host_appears_of_itself(settings, tmp_path):
    settings.SCHEDULES = {"MESSAGE_TYPES": [f"{Welcome.__module__}.{Welcome.__name__}"]}
    folder = tmp_path / "schedules/edx_ace/welcome/email"
    folder.mkdir(parents=True)
    for file in ("subject.txt", "from_name.txt", "body.txt", "head.html", "body.html"):
        (folder / file).write_text("Welcome to {{ course_name }}")
    templates = copy.deepcopy(settings.TEMPLATES)
    templates[0]["DIRS"] = [tmp_path]
    settings.TEMPLATES = templates
    assert message_types.message_names() == ["welcome"]
    assert show("welcome").subject == "Welcome to A Garden in a Year"


def test_languages_are_those_with_words(settings):
    settings.LANGUAGES = [("nl", "Dutch"), ("en", "English"), ("pt-br", "Brazilian Portuguese")]
    assert previewing.languages() == ["en", "pt-br"]
