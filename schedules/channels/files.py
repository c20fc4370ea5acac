"""The channel `schedules_file_email`: each message becomes a file to look at in a browser. It prints nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from django.utils import timezone
from django.utils.html import format_html
from edx_ace.channel import Channel
from edx_ace.channel.mixins import EmailChannelMixin

from schedules.channels import batch, file_index
from schedules.channels.mail import whole_document
from schedules.conf import conf
from schedules.values.days import day_of
from schedules.values.text import one_line

_SHOWN = """\
------- EMAIL -------
To: {to}
From: {sender}
Subject: {subject}
Body:
{text}
-------  END  -------"""

# Closed, it takes one line below the message, in colors that are readable on any ground.
_TEXT_PART = """\
<details dir="ltr" lang="en" style="max-width:40rem;margin:1rem auto;padding:.5rem 1rem;\
background:#fff;color:#222;font:14px/1.5 monospace">
<summary>Headers and text part</summary>
<pre dir="auto" style="white-space:pre-wrap;overflow-wrap:anywhere">To: {to}
From: {sender}
Subject: {subject}

{text}</pre>
</details>
"""


class FileChannel(EmailChannelMixin, Channel):
    """Writes one HTML file per message, with its text part folded up at the end, and lists it in index.html beside it.

    The file is `options["output_file_path"]`, or named like it in `FILE_EMAIL_DIRECTORY`. A message that is
    delivered again replaces its file.
    """

    def deliver(self, message: Any, rendered_message: Any) -> None:
        now = timezone.now()
        path = Path(message.options.get("output_file_path") or _path(message, day_of(now, conf.time_zone)))
        parts = {
            "to": message.recipient.email_address or "",
            "sender": one_line(rendered_message.from_name or ""),
            "subject": self.get_subject(rendered_message),
            "text": rendered_message.body.strip(),
        }
        html = whole_document(message.language, rendered_message.head_html, rendered_message.body_html)
        html, end_of_body, rest = html.rpartition("</body>")
        letter = file_index.Letter(
            file=path.name,
            subject=parts["subject"],
            courses=_course_names(message.context) if message.app_label == "schedules" else "",
            language=message.language or "",
            written_at=now.isoformat(),
        )
        document = f"{html}{format_html(_TEXT_PART, **parts)}{end_of_body}{rest}"
        file_index.add(path.parent, letter, document)
        if show := batch.show_message.get():
            show(_SHOWN.format(**parts))


def _path(message: Any, today: date) -> Path:
    """For the messages of other apps, which come without a path."""
    name = f"{today}_{message.name}_{message.recipient.lms_user_id}_{message.uuid.hex[:12]}.html"
    return conf.file_email_directory / name


def _course_names(context: Mapping[str, Any]) -> str:
    """The courses that a message names, as far as its context knows them; the others as a number."""
    names = [link["name"] for link in context.get("course_links") or ()] or [context.get("course_name") or ""]
    more = len(context.get("course_ids") or ()) - len(names)
    return ", ".join(names) + (f" + {more}" if more > 0 else "")
