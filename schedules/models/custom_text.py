"""What a course or a site says in its custom text. As with all configuration, a change is a new row."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from django.conf import settings
from django.contrib.sites.models import Site
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.db import models
from django.template import TemplateDoesNotExist
from django.template.loader import get_template
from django.utils.translation import get_supported_language_variant
from django.utils.translation import gettext_lazy as _

from schedules.host import get_host
from schedules.models.config import FreshConfiguration
from schedules.models.fields import ExactCharField
from schedules.values import markup

MAX_INTRO_CHARACTERS = markup.MAX_CHARACTERS


class CustomText(FreshConfiguration):
    """Subject, intro and button of one message, in the words of a course or a site. Empty: the template's words.

    A row that is not enabled sets nothing. Saving checks everything first and raises `ValidationError`.
    Personal data: who changed it (`changed_by`), a member of staff; in the words, whatever staff write.
    """

    KEY_FIELDS = ("site", "course_id", "message_name", "language")

    #: The placeholders that may be used; who knows the message type, such as a form, may narrow them.
    placeholders: Collection[str] = markup.PLACEHOLDERS

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="+", verbose_name=_("site"))
    course_id = ExactCharField(
        _("course"),
        max_length=255,
        blank=True,
        help_text=_("A full course id. Leave empty for all courses of the site."),
    )
    message_name = models.CharField(_("message"), max_length=100)
    language = models.CharField(
        _("language"),
        max_length=35,
        blank=True,
        help_text=_("Text for one language takes precedence over text for all."),
    )
    subject = models.CharField(
        _("subject"), max_length=150, blank=True, help_text=_("One line. Leave empty to use the template's.")
    )
    intro = models.TextField(
        _("intro"),
        blank=True,
        validators=[MaxLengthValidator(MAX_INTRO_CHARACTERS)],
        help_text=_("The first paragraph, in plain text or Markdown. Leave empty to use the template's."),
    )
    button_label = models.CharField(
        _("call to action"),
        max_length=40,
        blank=True,
        help_text=_("The text on the button. Leave empty to use the template's."),
    )

    class Meta(FreshConfiguration.Meta):
        verbose_name = _("custom text")
        verbose_name_plural = _("custom text")
        indexes = [models.Index(fields=["site", "message_name", "course_id"], name="schedules_custom_text")]

    def __str__(self) -> str:
        return f"{self.message_name} · {self.course_id or self.site.domain}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Check, then add a row. Raises `ValidationError`."""
        self.full_clean()
        super().save(*args, **kwargs)

    def clean(self) -> None:
        self.course_id = self.course_id.strip()
        self.subject, self.button_label = self.subject.strip(), self.button_label.strip()
        self.intro = self.intro.replace("\r\n", "\n").strip()
        checks: dict[str, Callable[[], None]] = {
            "course_id": self._check_course,
            "message_name": self._check_message_name,
            "language": self._check_language,
            "subject": lambda: markup.check_line(self.subject, self.placeholders),
            "intro": lambda: markup.check_markdown(self.intro, self.placeholders),
            "button_label": lambda: markup.check_line(self.button_label, self.placeholders),
        }
        problems = {}
        for field, check in checks.items():
            try:
                if self._is_short_enough(field):  # else that is the mistake, which `clean_fields()` names
                    check()
            except ValidationError as error:
                problems[field] = error
        if problems:
            raise ValidationError(problems)

    def _is_short_enough(self, name: str) -> bool:
        field: Any = self._meta.get_field(name)
        return len(getattr(self, name)) <= (field.max_length or MAX_INTRO_CHARACTERS)

    def _check_course(self) -> None:
        if not self.course_id:
            return
        try:
            is_known = self.course_id in get_host().courses([self.course_id])
        except Exception as error:  # a host may raise anything
            raise ValidationError(
                _("The LMS did not answer, so it is not known whether there is such a course. Try again later.")
            ) from error
        if not is_known:
            raise ValidationError(
                _("The LMS knows no course %(id)s. Copy the id from the course's address."),
                params={"id": self.course_id},
            )

    def _check_message_name(self) -> None:
        try:
            get_template(f"schedules/edx_ace/{self.message_name}/email/subject.txt")
        except TemplateDoesNotExist as error:
            raise ValidationError(
                _("There is no message %(name)s: it has no templates."), params={"name": self.message_name}
            ) from error

    def _check_language(self) -> None:
        if not self.language:
            return
        try:
            get_supported_language_variant(self.language)
        except LookupError as error:
            raise ValidationError(
                _("No message is written in %(code)s. Languages: %(all)s."),
                params={"code": self.language, "all": ", ".join(dict(settings.LANGUAGES))},
            ) from error
