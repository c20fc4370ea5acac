"""The admin of custom text: the form, its preview, and “send me this”."""

import re
from html.parser import HTMLParser
from pathlib import Path
from unittest.mock import Mock

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.sites.models import Site
from django.test import Client
from django.urls import reverse
from edx_ace import ace

import schedules
from schedules.exceptions import OptedOut
from schedules.models import CustomText, ScheduledMessage, SendRun
from tests.integration.custom_texts import NUDGE, write
from tests.world import free_port, make_course

pytestmark = pytest.mark.django_db

ADD = "admin:schedules_customtext_add"
LIST = "admin:schedules_customtext_changelist"
PREVIEW = "admin:schedules_customtext_preview"
SEND = "admin:schedules_customtext_send"

REFUSED = "This message has no placeholder {oops}. Choose from: {course}, {platform}, {name}."


def post(client, url_name, accept="application/json", **values):
    form = {"site": Site.objects.get(domain="example.com").pk, "message_name": NUDGE, "enabled": "on", **values}
    return client.post(reverse(url_name), form, headers={"accept": accept})


def staff_who_may(*actions, **fields):
    """A browser in which a member of staff with these permissions is signed in."""
    user = User.objects.create_user("victor", is_staff=True, **fields)
    codenames = [f"{action}_customtext" for action in actions]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


def images(html):
    return set(re.findall(r'<img[^>]* src="([^"]+)"', html))


class Frames(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.found = []
        self.scripts = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if tag == "iframe":
            self.found.append(dict(attrs))
        if tag == "script":
            self.scripts.append(dict(attrs).get("src"))


# The form -----------------------------------------------------------------------------------------


def test_staff_write_words_and_are_named_as_the_ones_who_did(admin_client, admin_user):
    response = post(admin_client, ADD, subject="Hello {name}", intro="In *{course}*", button_label="Go")
    assert response.status_code == 302
    row = CustomText.objects.get()
    assert (row.subject, row.intro, row.button_label, row.enabled) == ("Hello {name}", "In *{course}*", "Go", True)
    assert (row.course_id, row.language, row.changed_by) == ("", "", admin_user)


def test_mistakes_are_told_beside_their_field_and_nothing_is_saved(admin_client):
    response = post(admin_client, ADD, subject="{oops}", intro="<b>x</b>", button_label="x" * 41, course_id="nothing")
    errors = response.context["adminform"].errors
    assert errors["subject"] == [REFUSED]
    assert errors["intro"] == ["HTML is not allowed here: <b>. Write plain text."]
    assert errors["button_label"] == ["Ensure this value has at most 40 characters (it has 41)."]
    assert errors["course_id"] == ["The LMS knows no course nothing. Copy the id from the course's address."]
    assert not CustomText.objects.exists()


def test_a_line_break_counts_as_one_character_though_browsers_send_two(admin_client):
    assert post(admin_client, PREVIEW, intro="a\r\n" * 1500).json()["errors"] == {}
    post(admin_client, ADD, intro="a\r\n" * 1500)
    assert CustomText.objects.get().intro == ("a\n" * 1500).strip()


@pytest.mark.parametrize(
    ("message_name", "placeholder", "is_known"),
    [
        ("courseupdate", "{week}", True),
        (NUDGE, "{week}", False),
        ("upgradereminder", "{deadline}", True),
        (NUDGE, "{deadline}", False),
    ],
)
def test_a_placeholder_is_allowed_where_each_message_has_a_value(admin_client, message_name, placeholder, is_known):
    post(admin_client, ADD, message_name=message_name, subject=f"Now {placeholder}")
    assert CustomText.objects.exists() is is_known


def test_the_form_says_which_placeholders_there_are(admin_client):
    page = admin_client.get(reverse(ADD)).text
    assert "{course}, {platform}, {name}, {deadline} (upgrade reminder), {week} (course update)" in page


def test_every_message_that_has_texts_or_words_already_can_be_chosen(admin_client, settings):
    settings.SCHEDULES = {**settings.SCHEDULES, "RECURRING_NUDGE_DAYS": [3]}
    write(message_name="recurringnudge_day10")
    choices = admin_client.get(reverse(ADD)).context["adminform"].form.fields["message_name"].choices
    assert [name for name, _ in choices] == [
        NUDGE,
        "recurringnudge_day19",
        "upgradereminder",
        "courseupdate",
        "recurringnudge_day10",
    ]


def test_the_languages_are_those_that_messages_come_out_in(admin_client, settings):
    settings.LANGUAGES = [("en", "English"), ("zh-cn", "Chinese"), ("he", "Hebrew"), ("eo", "Esperanto")]
    choices = admin_client.get(reverse(ADD)).context["adminform"].form.fields["language"].choices
    assert [code for code, _ in choices] == ["", "en", "zh-hans", "he"]
    post(admin_client, ADD, language="zh-hans", subject="Hello")
    assert CustomText.objects.get().language == "zh-hans"


def test_every_control_has_a_label_and_no_script_stands_in_the_page(admin_client):
    page = admin_client.get(reverse(ADD)).text
    for name in ("id_subject", "id_intro", "id_button_label", "custom-text-variant"):
        assert f'for="{name}"' in page
    assert all(Frames(page).scripts)


def test_the_list_shows_what_counts_and_the_history_every_change(admin_client):
    write(subject="First")
    write(subject="Second")
    assert [row.subject for row in admin_client.get(reverse(LIST)).context["cl"].result_list] == ["Second"]
    everything = admin_client.get(reverse(LIST), {"show_history": "1"}).context["cl"].result_list
    assert [row.subject for row in everything] == ["Second", "First"]


def test_a_change_starts_from_the_words_that_count(admin_client):
    row = write(subject="First", intro="Hello")
    form = admin_client.get(reverse(ADD), {"source": row.pk}).context["adminform"].form
    assert (form.initial["subject"], form.initial["intro"]) == ("First", "Hello")


def test_a_kept_row_shows_what_it_made_of_the_message(admin_client):
    row = write(subject="Hello from a < b", intro="We **missed** you")
    page = admin_client.get(reverse("admin:schedules_customtext_change", args=[row.pk])).text
    (frame,) = Frames(page).found
    assert "missed</strong> you" in frame["srcdoc"]
    assert "Hello from a &lt; b" in page


def test_a_kept_row_that_cannot_be_used_says_so(admin_client):
    row = write(subject="Hello")
    CustomText.objects.filter(pk=row.pk).update(subject="Week {week}")
    page = admin_client.get(reverse("admin:schedules_customtext_change", args=[row.pk]))
    assert page.status_code == 200
    assert "This message has no value for {week}, so it uses the template&#x27;s text." in page.text


def test_going_back_to_words_of_a_course_that_is_gone_is_refused_with_a_line(admin_client):
    garden = make_course()
    row = write(course_id=str(garden.pk))
    garden.delete()
    page = admin_client.post(reverse(LIST), {"action": "revert", "_selected_action": [row.pk], "index": 0}, follow=True)
    assert "The LMS knows no course" in page.text
    assert CustomText.objects.count() == 1


# The preview --------------------------------------------------------------------------------------


def test_the_preview_shows_every_part_with_these_words_and_saves_nothing(admin_client):
    response = post(
        admin_client, PREVIEW, subject="Back to {course}", intro="We **missed** you", button_label="Open {course}"
    )
    answer = response.json()
    assert answer["errors"] == {}
    preview = answer["preview"]
    assert preview.keys() == {"subject", "from_name", "preheader", "text", "html"}
    assert preview["subject"] == "Back to A Garden in a Year"
    assert "We missed you" in preview["text"]
    assert "Open A Garden in a Year" in preview["text"]
    assert "missed</strong> you" in preview["html"]
    assert not CustomText.objects.exists()


def test_the_preview_is_of_the_course_and_in_its_language(admin_client):
    garden = make_course("Jardín", language="es")
    html = post(admin_client, PREVIEW, course_id=str(garden.pk), subject="¡{course}!").json()["preview"]
    assert html["subject"] == "¡Jardín!"
    assert 'lang="es"' in html["html"]


def test_the_preview_has_the_courses_own_picture_and_no_other(admin_client):
    garden = make_course(image_url="https://example.com/static/garden.jpg")
    html = post(admin_client, PREVIEW, course_id=str(garden.pk)).json()["preview"]["html"]
    assert images(html) == {"https://example.com/static/garden.jpg"}
    assert images(post(admin_client, PREVIEW).json()["preview"]["html"]) == set()


def test_the_preview_is_in_the_language_of_the_words(admin_client):
    assert 'dir="rtl"' in post(admin_client, PREVIEW, language="he", subject="שלום").json()["preview"]["html"]


def test_without_words_the_preview_is_the_templates(admin_client):
    assert "A Garden in a Year" in post(admin_client, PREVIEW).json()["preview"]["subject"]


def test_mistakes_are_told_instead_of_a_preview(admin_client):
    answer = post(admin_client, PREVIEW, subject="{oops}").json()
    assert answer == {"errors": {"subject": [REFUSED]}, "preview": None}


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"_variant": "several_courses", "message_name": "courseupdate"}, "This message has no such preview."),
        ({"_variant": "without_upsell", "message_name": "upgradereminder"}, "This message has no such preview."),
    ],
)
def test_a_variant_that_a_message_has_not_is_explained(admin_client, values, problem):
    assert post(admin_client, PREVIEW, **values).json()["problem"].startswith(problem)


def test_a_message_about_several_courses_says_the_sites_words_and_the_preview_explains_it(admin_client):
    answer = post(admin_client, PREVIEW, course_id=str(make_course().pk), _variant="several_courses").json()
    assert answer["problem"] == "A message about several courses uses the site's text, not a course's."
    preview = post(admin_client, PREVIEW, subject="Own", _variant="several_courses").json()["preview"]
    assert preview["subject"] == "Own"


def test_a_broken_template_is_told_and_not_a_broken_page(admin_client, settings, tmp_path, caplog):
    folder = tmp_path / f"schedules/edx_ace/{NUDGE}/email"
    folder.mkdir(parents=True)
    (folder / "body.html").write_text("{% nonsense %}")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    assert post(admin_client, PREVIEW).json()["problem"] == "The message could not be created (TemplateSyntaxError)."
    assert "A sample could not be made: TemplateSyntaxError" in caplog.text


def test_without_javascript_the_preview_is_a_page_with_a_frame_that_can_do_nothing(admin_client):
    page = post(admin_client, PREVIEW, "text/html,*/*;q=0.8", intro="We **missed** you").text
    (frame,) = Frames(page).found
    assert frame["sandbox"] == ""
    assert frame["title"]
    assert "missed</strong> you" in frame["srcdoc"]
    wrong = post(admin_client, PREVIEW, "text/html,*/*;q=0.8", subject="{oops}").text
    assert REFUSED in wrong
    assert Frames(wrong).found == []


# Send me this -------------------------------------------------------------------------------------


def test_it_goes_to_the_one_who_is_signed_in_and_to_nobody_else(admin_client, admin_user, email_channel):
    answer = post(
        admin_client, SEND, subject="Back to {course}", intro="We **missed** you", to="eve@example.com"
    ).json()
    assert answer["done"] == f"Sent to {admin_user.email}."
    (mail,) = email_channel
    assert (mail.to, mail.cc, mail.bcc) == ([admin_user.email], [], [])
    assert mail.subject == "Back to A Garden in a Year"
    assert "We missed you" in mail.body


def test_it_leaves_the_ledger_and_the_words_alone(admin_client, email_channel):
    post(admin_client, SEND, subject="Own")
    assert len(email_channel) == 1
    assert not ScheduledMessage.objects.exists()
    assert not SendRun.objects.exists()
    assert not CustomText.objects.exists()


def test_without_an_address_it_says_so(admin_client, admin_user, email_channel):
    User.objects.filter(pk=admin_user.pk).update(email="")
    answer = post(admin_client, SEND).json()
    assert answer["problem"] == "Not sent: your account has no e-mail address. Add one to it under Users."
    assert email_channel == []


def test_a_channel_that_refuses_is_named(admin_client, email_channel, smtp_server):
    smtp_server(free_port())
    answer = post(admin_client, SEND).json()
    assert answer["problem"] == "Not sent: the channel did not take it (channel-error: ConnectionRefusedError)."


def test_who_opted_out_at_the_channel_is_told_so(admin_client, email_channel, monkeypatch):
    monkeypatch.setattr(ace, "send", Mock(side_effect=OptedOut))
    answer = post(admin_client, SEND).json()
    assert answer["problem"] == "Not sent: the channel did not take it (opted-out)."


def test_without_a_channel_it_says_which_setting_to_look_at(admin_client, settings):
    settings.ACE_ENABLED_CHANNELS = []
    assert "ACE_ENABLED_CHANNELS" in post(admin_client, SEND).json()["problem"]


def test_words_with_mistakes_are_not_sent(admin_client, email_channel):
    answer = post(admin_client, SEND, subject="{oops}").json()
    assert answer["errors"] == {"subject": [REFUSED]}
    assert answer["problem"] == "Not sent: the form has errors."
    assert email_channel == []


def test_without_javascript_the_answer_is_a_page(admin_client, admin_user, email_channel):
    assert f"Sent to {admin_user.email}." in post(admin_client, SEND, "text/html").text


# Who may ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url_name", [PREVIEW, SEND])
def test_only_those_who_may_write_words_may_try_them(url_name, email_channel):
    assert post(staff_who_may("view"), url_name).status_code == 403
    assert email_channel == []


def test_those_who_may_write_words_may_try_them(email_channel):
    client = staff_who_may("add", email="victor@example.com")
    assert post(client, PREVIEW).json()["preview"]
    assert post(client, SEND).json()["done"] == "Sent to victor@example.com."


@pytest.mark.parametrize("url_name", [PREVIEW, SEND])
def test_nobody_who_is_not_staff_gets_there(client, url_name, email_channel):
    response = post(client, url_name)
    assert response.status_code == 302
    assert "login" in response.url
    assert email_channel == []


def test_those_who_may_only_look_see_kept_words_and_no_form():
    row = write(subject="Hello")
    client = staff_who_may("view")
    assert client.get(reverse("admin:schedules_customtext_change", args=[row.pk])).status_code == 200
    assert client.get(reverse(ADD)).status_code == 403


@pytest.mark.parametrize("url_name", [PREVIEW, SEND])
def test_following_a_link_sends_nothing(admin_client, url_name, email_channel):
    assert admin_client.get(reverse(url_name)).status_code == 405
    assert email_channel == []


@pytest.mark.parametrize("url_name", [PREVIEW, SEND])
def test_another_site_cannot_post_it(admin_user, url_name, email_channel):
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    assert post(client, url_name).status_code == 403
    assert email_channel == []


def test_the_script_asks_for_what_the_view_answers():
    """The parts that the page has places for are those that the script fills."""
    static, templates = (Path(schedules.__file__).parent / folder for folder in ("static", "templates"))
    script = (static / "schedules/custom_text.js").read_text(encoding="utf-8")
    page = (templates / "admin/schedules/custom_text/preview.html").read_text(encoding="utf-8")
    assert "application/json" in script
    assert set(re.findall(r'data-part="(\w+)"', page)) == {"subject", "from_name", "preheader", "text", "html"}
    assert "innerHTML" not in script
