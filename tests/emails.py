"""E-mails as edx-ace renders them, from a context that a test may change."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from django.core.mail import EmailMultiAlternatives
from edx_ace import presentation
from edx_ace.channel.file import FileEmailChannel
from edx_ace.channel.mixins import EmailChannelMixin
from edx_ace.message import Message
from edx_ace.recipient import Recipient
from edx_ace.renderers import RenderedEmail

#: A name that breaks what does not escape, or escapes what should not be.
COURSE = '<b>"x"</b> & שלום'
DASHBOARD = "https://example.com/dashboard?utm_source=schedules&utm_medium=email"
COURSE_HOME = "https://example.com/courses/course-v1:Meadow%2BB1%2B2026/home?utm_source=schedules&utm_medium=email"
UPGRADE = "https://example.com/upgrade/?sku=1&utm_source=schedules"
DEADLINE = "March 3, 2026"

NUDGES = ("recurringnudge_day3", "recurringnudge_day10", "recurringnudge_day19")
#: Message name, and whether it is about several courses.
MESSAGES = [
    *((name, is_several) for name in (*NUDGES, "upgradereminder") for is_several in (False, True)),
    ("courseupdate", False),
]


def base_context() -> dict[str, Any]:
    return {
        "homepage_url": "https://example.com/?utm_source=schedules&utm_medium=email",
        "dashboard_url": DASHBOARD,
        "platform_name": "Meadow & Co.",
        "contact_mailing_address": "12 Orchard Lane, Springfield",
        "contact_email": "help@example.com",
        "logo_url": "",
        "social_media_urls": {},
        "mobile_store_urls": {},
        "template_revision": 1,
        "copyright_year": 2026,
    }


def upsell_context() -> dict[str, Any]:
    return {
        "show_upsell": True,
        "upsell_course_name": COURSE,
        "upsell_link": UPGRADE,
        "user_schedule_upgrade_deadline_time": DEADLINE,
    }


def message_context(name: str, is_several: bool) -> dict[str, Any]:
    """What a message of this name is given, as behavior 7.5 lists it."""
    course_ids = ["course-v1:Meadow+B1+2026"] + ["course-v1:Meadow+B2+2026"] * is_several
    if name == "upgradereminder":
        links = [{"url": COURSE_HOME, "name": COURSE, "upgrade_deadline": DEADLINE}]
        if is_several:
            links.append({"url": COURSE_HOME + "2", "name": "Bread", "upgrade_deadline": "March 4, 2026"})
        return {
            "course_links": links,
            "first_course_name": COURSE,
            "course_ids": course_ids,
            "has_several_courses": is_several,
        }
    course = {"course_name": COURSE, "course_url": COURSE_HOME, "course_ids": course_ids}
    if name == "courseupdate":
        highlights = ["Why leaves are green & when not", "Walk < 5 km"]
        return {**course, "week_num": 3, "week_highlights": highlights, "section_name": "Leaves & light"}
    return {**course, "has_several_courses": is_several}


def render(
    name: str,
    is_several: bool = False,
    *,
    language: str = "en",
    show_upsell: bool = True,
    channel: Any = None,
    **changes: Any,
) -> RenderedEmail:
    context = {
        **base_context(),
        **message_context(name, is_several),
        **(upsell_context() if show_upsell else {"show_upsell": False}),
        **changes,
    }
    message = Message(
        app_label="schedules",
        name=name,
        recipient=Recipient(lms_user_id=1, email_address="alice@example.com"),
        context=context,
        language=language,
    )
    return presentation.render(channel or FileEmailChannel(), message)


def whole_html(email: RenderedEmail) -> str:
    return EmailChannelMixin.make_simple_html_template(email.head_html, email.body_html)


class Page(HTMLParser):
    """The links, images and texts of an HTML part, and whether its tags are closed in order."""

    VOID = {"meta", "img", "br"}

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.links.append(dict(attrs)["href"] or "")
        if tag == "img":
            self.images.append(dict(attrs))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def without_isolates(text: str) -> str:
    """A text part less the invisible characters that keep a name's direction apart."""
    return text.translate(dict.fromkeys(map(ord, "\u2068\u2069")))


def without_uuids(text: str) -> str:
    """A part less the uuids and tokens in its links: each message has its own, of ids that differ from run to run."""
    text = re.sub(r"/(click|unsubscribe)/[\w.-]+", r"/\1/TOKEN", text)
    return re.sub(r"(?<=utm_content=)[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}", "UUID", text)


def html_of(mail: EmailMultiAlternatives) -> str:
    """The HTML part of what was sent by Django's mail API."""
    ((html, _kind),) = mail.alternatives
    return str(html)


def words_of(html: str) -> str:
    """What a reader sees of an HTML part, in one line."""
    return " ".join("".join(Page(html).texts).split())
