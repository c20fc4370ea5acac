"""Which custom text a message says: its course's, else its site's, else none, and then the template's stand."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.db.models import Max

from schedules.exceptions import redacted_traceback
from schedules.models import CustomText
from schedules.values.markup import Markdown, fill_line
from schedules.values.text import QuietText

log = logging.getLogger(__name__)


class Words:
    """The words of one row, its Markdown read once, to be filled for each message."""

    def __init__(self, row: CustomText) -> None:
        self.row = row

    def context(self, context: Mapping[str, Any]) -> dict[str, str]:
        """The `custom_*` keys for a message of that context, whose language is active; no words, no key.

        Raises `NoValueError` if the words use a placeholder for which this message has no value.
        """
        values, row = placeholder_values(context), self.row
        words = {
            "custom_subject": fill_line(row.subject, values),
            "custom_intro_html": self._intro.html(values),
            "custom_intro_text": self._intro.text(values),
            "custom_button_label": fill_line(row.button_label, values),
        }
        return {key: QuietText(text) for key, text in words.items() if text}

    @cached_property
    def _intro(self) -> Markdown:
        return Markdown(self.row.intro)


@dataclass(frozen=True, kw_only=True)
class BatchWords:
    """What was read for a batch of messages of one name: (course id or "", language or "") -> words."""

    words: Mapping[tuple[str, str], Words] = field(default_factory=dict)

    def context(self, course_ids: Sequence[str], language: str, context: Mapping[str, Any]) -> dict[str, str]:
        """The `custom_*` keys of a message about these courses. Words that cannot be used are logged, and left out."""
        words = self._chosen(course_ids, language)
        if words is None:
            return {}
        try:
            return words.context(context)
        except Exception as error:  # noqa: BLE001 - the template's words are better than no message
            log.error("Custom text %s cannot be used: %s", words.row.pk, redacted_traceback(error))
            return {}

    def _chosen(self, course_ids: Sequence[str], language: str) -> Words | None:
        """A row is taken whole, so that what its preview shows is what is sent."""
        course_id = _one_course(course_ids)
        owners = (course_id, "") if course_id else ("",)
        keys = ((owner, code) for owner in owners for code in (language, ""))
        return next((self.words[key] for key in keys if key in self.words), None)


def read(site_id: int, message_name: str, courses_of_messages: Iterable[Sequence[str]]) -> BatchWords:
    """What these messages may say, each given by the ids of its courses: one query, read afresh."""
    course_ids = {_one_course(course_ids) for course_ids in courses_of_messages} | {""}
    rows = CustomText.objects.filter(site_id=site_id, message_name=message_name, course_id__in=course_ids)
    newest = rows.order_by().values(*CustomText.KEY_FIELDS).annotate(newest=Max("pk")).values("newest")
    enabled = CustomText.objects.filter(pk__in=newest, enabled=True)
    return BatchWords(words={(row.course_id, row.language): Words(row) for row in enabled})


def placeholder_values(context: Mapping[str, Any]) -> dict[str, str]:
    """The values of those placeholders that a message of that context has one for."""
    (first_course, *_) = context.get("course_links") or [{}]
    values = {
        "course": context.get("course_name") or context.get("first_course_name"),
        "platform": context.get("platform_name"),
        "name": context.get("learner_name", ""),
        "week": context.get("week_num"),
        "deadline": first_course.get("upgrade_deadline"),
    }
    return {name: str(value) for name, value in values.items() if value is not None}


def _one_course(course_ids: Sequence[str]) -> str:
    """The course that a message is about; empty where it is about several."""
    return course_ids[0] if len(course_ids) == 1 else ""
