"""A message of sample data that says given words: to be looked at, or to be sent to whoever wrote them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from django.utils import translation
from django.utils.translation import gettext_lazy as _

from schedules.custom_text import Words
from schedules.exceptions import ConfigurationError, DeliveryError, OptedOut, SkipRecipient, redacted_traceback
from schedules.host import get_host
from schedules.message_types import messages
from schedules.models import CustomText
from schedules.previewing import VARIANTS, Preview, preview, sample_message
from schedules.sending import override
from schedules.sending.context import message_language
from schedules.sites import site_values
from schedules.values.data import Course, Learner
from schedules.values.links import absolute_url
from schedules.values.markup import NoValueError
from schedules.values.outcomes import SkipReason

log = logging.getLogger(__name__)

VARIANT_LABELS = {
    "one_course": _("About one course"),
    "several_courses": _("About several courses"),
    "without_upsell": _("Without an upgrade to offer"),
    "longest_names": _("With very long names"),
    "other_direction": _("With names in the other writing direction"),
}

_ONE = "one_course"
_NEVER = _("This message has no such preview. Choose another one.")
_NOT_TAKEN = _("Not sent: the channel did not take it (%s).")
_SKIPPED: dict[str, Any] = {
    SkipReason.POLICY: _("Not sent: a policy denies it."),
    SkipReason.BAD_ADDRESS: _(
        "Not sent: no e-mail can be sent to the address of your account. Correct it under Users."
    ),
}


class SampleError(Exception):
    """There is no such sample, or it could not be sent; `message` is for staff."""

    def __init__(self, message: Any) -> None:
        super().__init__(message)
        self.message = message


class Sample:
    """The message of `row`, which need not be saved. An unknown `variant` is taken for one course."""

    def __init__(self, row: CustomText, variant: str) -> None:
        self._row = row
        self._variant = variant if variant in VARIANT_LABELS else _ONE

    def preview(self) -> Preview:
        """Raises `SampleError`."""
        with _explained():
            return preview(self._row.message_name, self._language, self._variant, **self._options())

    def send(self, address: str) -> None:
        """Send it through edx-ace to `address` alone; the ledger is left alone. Raises `SampleError`."""
        with _explained():
            options = {**self._options(), "address": address}
            message = sample_message(self._row.message_name, self._language, self._variant, **options)
            override.send_sample(message, self._row.site_id)

    def _options(self) -> dict[str, Any]:
        course = self._course
        if VARIANTS[self._variant].course_count > 1:
            if messages()[self._row.message_name][0].is_per_course:
                raise SampleError(_NEVER)
            if course is not None:
                raise SampleError(_("A message about several courses uses the site's text, not a course's."))
        options: dict[str, Any] = {"site": self._row.site, "course_name": course.name if course else None}
        sample = sample_message(self._row.message_name, self._language, self._variant, **options)
        with translation.override(self._language):
            words = Words(self._row).context(sample.context)
        # They are put into the context last, so the course's own picture replaces the sample's, which is nowhere.
        image_url = (course and course.image_url) or ""
        image_url = image_url and absolute_url(self._row.site.domain, image_url)
        return {**options, "custom_text": {**words, "course_image_url": image_url}}

    @cached_property
    def _course(self) -> Course | None:
        course_id = self._row.course_id
        return get_host().courses([course_id]).get(course_id) if course_id else None

    @cached_property
    def _language(self) -> str:
        """The row's, else the one that a message of its course or site would have."""
        course = self._course or Course(id="", org="", name="", start=None)
        site = site_values(get_host(), self._row.site)
        return self._row.language or message_language(course, Learner(id=0, email=""), site)


@contextmanager
def _explained() -> Iterator[None]:
    """Whatever goes wrong within becomes a `SampleError`: the page that shows it is where staff mend it."""
    try:
        yield
    except SampleError:
        raise
    except OptedOut as skip:  # at the channel's: staff did not ask for what is theirs there
        raise SampleError(_NOT_TAKEN % skip.reason) from skip
    except SkipRecipient as skip:
        raise SampleError(_SKIPPED.get(skip.reason, _NEVER)) from skip
    except DeliveryError as error:
        raise SampleError(_NOT_TAKEN % error) from error
    except ConfigurationError as error:
        raise SampleError(str(error)) from error
    except NoValueError as error:
        problem = _("This message has no value for {%s}, so it uses the template's text.")
        raise SampleError(problem % error.name) from error
    except Exception as error:  # a host and a template may raise anything
        log.error("A sample could not be made: %s", redacted_traceback(error))
        raise SampleError(_("The message could not be created (%s).") % type(error).__name__) from error
