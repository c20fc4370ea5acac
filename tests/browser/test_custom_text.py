"""The admin's form of custom text in Chromium: the preview follows what is typed. Pictures are in `pictures/pages/`."""

from __future__ import annotations

import pytest

from schedules.models import CustomText
from tests.browser.chromium import PHONE

pytestmark = pytest.mark.django_db

WIDE = 1360


@pytest.fixture
def form(live_server, admin_client, browser, email_channel):
    """The empty form, with its first preview."""
    browser.sign_in(live_server.url, admin_client)
    browser.open(f"{live_server.url}/admin/schedules/customtext/add/", width=WIDE)
    wait_for(browser, "subject", "A Garden in a Year")
    yield browser
    browser.do(lambda page: page.goto("about:blank"))


def wait_for(browser, part, text):
    browser.do(lambda page: page.locator(f"[data-part={part}]", has_text=text).wait_for(state="attached"))


def write(browser, **words):
    for name, text in words.items():
        browser.do(lambda page, name=name, text=text: page.locator(f"#id_{name}").fill(text))


def in_message(browser, text):
    browser.do(lambda page: page.frame_locator("iframe").locator(".s-card", has_text=text).wait_for())


def test_the_preview_follows_what_is_typed(form):
    write(form, subject="Back to {course}", intro="We **missed** you", button_label="Open {course}")
    wait_for(form, "subject", "Back to A Garden in a Year")
    in_message(form, "We missed you")
    in_message(form, "Open A Garden in a Year")
    wait_for(form, "text", "We missed you")
    form.take_picture("pages/custom_text.desktop")
    assert not CustomText.objects.exists()


def test_a_mistake_is_told_at_its_field_and_goes_when_it_is_mended(form):
    write(form, subject="{oops}")
    error = form.do(lambda page: page.locator(".field-subject .errorlist").inner_text())
    assert error.startswith("This message has no placeholder {oops}.")
    told_by = form.do(lambda page: page.locator("#id_subject").get_attribute("aria-describedby"))
    assert told_by == "id_subject_error id_subject_helptext"
    form.take_picture("pages/custom_text.mistake")
    write(form, subject="Back")
    wait_for(form, "subject", "Back")
    assert form.do(lambda page: page.locator(".errorlist").count()) == 0
    assert form.do(lambda page: page.locator("#id_subject").get_attribute("aria-invalid")) is None


def test_send_me_this_answers_in_place(form, admin_user, email_channel):
    write(form, subject="Back to {course}")
    form.do(lambda page: page.get_by_role("button", name="Send me this").click())
    form.do(lambda page: page.get_by_role("status").get_by_text(f"Sent to {admin_user.email}.").wait_for())
    wait_for(form, "subject", "Back to A Garden in a Year")  # the preview comes later, and takes nothing back
    assert form.do(lambda page: page.get_by_role("status").inner_text()) == f"Sent to {admin_user.email}."
    assert [mail.subject for mail in email_channel] == ["Back to A Garden in a Year"]


@pytest.mark.parametrize("is_dark", [False, True])
def test_it_can_be_used_by_everybody_and_on_a_phone(form, is_dark):
    write(form, subject="{oops}")
    form.do(lambda page: page.locator(".field-subject .errorlist").wait_for())
    form.evaluate("document.getElementById('nav-sidebar').remove()")  # Django's own, whose links are faint
    form.show(width=WIDE, is_dark=is_dark)
    assert form.violations() == []
    form.show(width=PHONE, is_dark=is_dark)
    assert form.violations() == []
    assert form.evaluate("document.scrollingElement.scrollWidth") == PHONE
    form.take_picture(f"pages/custom_text.phone.{'dark' if is_dark else 'light'}")
