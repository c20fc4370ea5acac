"""What the embedded LMS stores: courses, who takes them, and each site's configuration.

A course's `pk` is a `CourseKey`; whatever leaves the LMS says `str(course.pk)`. Course ids differ by case, as
the texts do that `schedules` keeps. What must not be stored is refused on `save()` too, so that scripts cannot.
`bulk_create()` and `update()` pass by both that and the signals.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.sites.models import Site
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from model_utils import FieldTracker
from opaque_keys.edx.django.models import CourseKeyField

from schedules.contrib.lms.converters import course_path
from schedules.host import can_be_stored, site_value_problems

VERIFIED = "verified"

#: `last_active_at` is as exact as this, so that a learner who turns pages costs one write and not one for each.
ACTIVITY_SPAN = timedelta(hours=1)

_NOT_STORED = _("%(value)r holds a NUL character, half of a character or an infinite number. Remove it.")

_IS_ON_THE_WEB = URLValidator(["https", "http"])


class Course(models.Model):
    """A course run. Personal data: none."""

    id: models.CharField = CourseKeyField(  # type: ignore[no-untyped-call]
        _("course id"),
        primary_key=True,
        max_length=255,
        case_sensitive=True,
        help_text=_("Such as course-v1:Org+Course+Run."),
    )
    display_name = models.CharField(_("name"), max_length=255)
    org = models.CharField(_("organization"), max_length=255, blank=True, help_text=_("Empty: the course id's."))
    start = models.DateTimeField(_("start"), null=True, blank=True)
    end = models.DateTimeField(_("end"), null=True, blank=True)
    self_paced = models.BooleanField(_("self-paced"), default=True)
    language = models.CharField(_("language"), max_length=35, blank=True, help_text=_("A language code, such as es."))
    image_url = models.CharField(
        _("picture"), max_length=500, blank=True, help_text=_("The whole URL of a picture, 16 units wide and 9 high.")
    )
    highlights_enabled_for_messaging = models.BooleanField(
        _("send weekly highlights"), default=False, help_text=_("Learners get the highlights of a section each week.")
    )

    tracker = FieldTracker(fields=["start", "end", "self_paced"])

    class Meta:
        verbose_name = _("course")
        verbose_name_plural = _("courses")
        ordering = ["display_name", "id"]

    def __str__(self) -> str:
        return self.display_name

    def get_absolute_url(self) -> str:
        return course_path("course", self.pk)

    def clean(self) -> None:
        """Name the organization, as the course id does. Refuse a picture that is not on the web."""
        if not self.org and self.pk:
            self.org = str(self.pk.org)
        if self.image_url:
            try:
                _IS_ON_THE_WEB(self.image_url)
            except ValidationError:
                text = _("The picture is %(value)r; give a URL that begins with https://.")
                raise _refusal("image_url", text, self.image_url) from None

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self.pk:
            raise ValidationError({"id": _("The course has no id; give one such as course-v1:Org+Course+Run.")})
        self.clean()
        super().save(*args, **kwargs)


class Section(models.Model):
    """A section of a course with its weekly highlights. Personal data: none."""

    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="sections", verbose_name=_("course"))
    position = models.PositiveSmallIntegerField(_("position"), default=1)
    display_name = models.CharField(_("name"), max_length=255)
    highlights = models.JSONField(_("highlights"), default=list, blank=True, help_text=_("One on each line."))
    hide_from_toc = models.BooleanField(_("not in the table of contents"), default=False)
    visible_to_staff_only = models.BooleanField(_("for staff only"), default=False)

    class Meta:
        verbose_name = _("section")
        verbose_name_plural = _("sections")
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.display_name

    def clean(self) -> None:
        """Drop blanks around highlights and empty ones. Refuse what is not text, or not a list."""
        if not isinstance(self.highlights, list | tuple):
            text = _("The highlights are %(value)r; give a list of texts, one on each line.")
            raise _refusal("highlights", text, self.highlights)
        for highlight in self.highlights:
            if not isinstance(highlight, str):
                text = _("The highlight %(value)r is not text; write it as text or remove it.")
                raise _refusal("highlights", text, highlight)
            if not can_be_stored(highlight):
                raise _refusal("highlights", _NOT_STORED, highlight)
        self.highlights = [text for raw in self.highlights if (text := raw.strip())]

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.clean()
        super().save(*args, **kwargs)


class CourseMode(models.Model):
    """A way to take a course, with its price. Personal data: none."""

    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="modes", verbose_name=_("course"))
    mode_slug = models.SlugField(_("mode"), max_length=100, help_text=_("Such as audit, honor or verified."))
    min_price = models.PositiveIntegerField(_("price"), default=0)
    currency = models.CharField(_("currency"), max_length=8, default="usd")
    expiration_datetime = models.DateTimeField(_("offered until"), null=True, blank=True)

    tracker = FieldTracker(fields=["mode_slug", "expiration_datetime"])

    class Meta:
        verbose_name = _("course mode")
        verbose_name_plural = _("course modes")
        constraints = [models.UniqueConstraint(fields=["course", "mode_slug"], name="schedules_lms_one_mode")]

    def __str__(self) -> str:
        return self.mode_slug

    @property
    def is_open(self) -> bool:
        """Whether it may still be bought."""
        return self.expiration_datetime is None or self.expiration_datetime > timezone.now()


class CourseEnrollment(models.Model):
    """A learner in a course, and what became of them there.

    Personal data: which course a learner takes, how and since when; when they last opened it, upgraded and finished it.
    Erased with the learner (cascade).
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="enrollments", verbose_name=_("learner")
    )
    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="enrollments", verbose_name=_("course"))
    mode = models.CharField(_("mode"), max_length=100, default="audit")
    is_active = models.BooleanField(_("active"), default=True)
    created = models.DateTimeField(_("enrolled"), default=timezone.now)
    last_active_at = models.DateTimeField(
        _("last active"), null=True, blank=True, help_text=_("When the learner last opened the course, to the hour.")
    )
    upgraded_at = models.DateTimeField(
        _("upgraded"), null=True, blank=True, help_text=_("Since when the mode is verified, as far as that is known.")
    )
    completed_at = models.DateTimeField(
        _("finished"), null=True, blank=True, help_text=_("When the learner said that they have finished the course.")
    )

    #: The site on which the learner is enrolling, told to `schedules` and not stored; `None`: not known.
    enrolling_site_id: int | None = None

    tracker = FieldTracker(fields=["is_active", "mode"])

    class Meta:
        verbose_name = _("enrollment")
        verbose_name_plural = _("enrollments")
        constraints = [models.UniqueConstraint(fields=["user", "course"], name="schedules_lms_one_enrollment")]

    def __str__(self) -> str:
        return gettext("learner %(learner)s in %(course)s") % {"learner": self.user_id, "course": self.course_id}

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Keeps, too, since when the mode is verified; one that no longer is has no such time."""
        fields = kwargs.get("update_fields")
        if self._state.adding:
            self.upgraded_at = self.upgraded_at or (self.created if self.mode == VERIFIED else None)
        elif (fields is None or "mode" in fields) and self.tracker.has_changed("mode"):
            self.upgraded_at = (self.upgraded_at or timezone.now()) if self.mode == VERIFIED else None
            if fields is not None:
                kwargs["update_fields"] = {*fields, "upgraded_at"}
        super().save(*args, **kwargs)

    def note_visit(self, now: datetime) -> None:
        """The learner has the course open. One UPDATE an hour at most, past `save()` and its signals."""
        if self.last_active_at is None or self.last_active_at <= now - ACTIVITY_SPAN:
            is_old = models.Q(last_active_at=None) | models.Q(last_active_at__lte=now - ACTIVITY_SPAN)
            CourseEnrollment.objects.filter(is_old, pk=self.pk).update(last_active_at=now)


class SiteConfiguration(models.Model):
    """A site's values, which replace settings of the same name. Personal data: none."""

    site = models.OneToOneField(Site, on_delete=models.CASCADE, related_name="configuration", verbose_name=_("site"))
    enabled = models.BooleanField(_("enabled"), default=False)
    site_values = models.JSONField(
        _("values"),
        default=dict,
        blank=True,
        help_text=_('A mapping, such as {"course_org_filter": ["Org"], "PLATFORM_NAME": "Academy"}.'),
    )

    class Meta:
        verbose_name = _("site configuration")
        verbose_name_plural = _("site configurations")

    def __str__(self) -> str:
        return gettext("configuration of %(site)s") % {"site": self.site.domain}

    def clean(self) -> None:
        """Refuse values that are not a mapping, and those of the names that `schedules` reads that it could not use."""
        values = self.site_values
        if not isinstance(values, Mapping):
            raise _refusal("site_values", _("The values are %(value)r; give a mapping of names to values."), values)
        if not can_be_stored(values):
            raise _refusal("site_values", _NOT_STORED, values)
        claimed = values.get("course_org_filter")
        orgs = claimed if isinstance(claimed, list | tuple) else [claimed]
        if claimed is not None and not all(isinstance(org, str) for org in orgs):
            text = _("course_org_filter is %(value)r; give an organization or a list of them.")
            raise _refusal("site_values", text, claimed)
        for problem in site_value_problems(values):
            raise _refusal("site_values", _("A value cannot be used. %(value)s"), problem)

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.clean()
        super().save(*args, **kwargs)


class CourseEmailOptout(models.Model):
    """A learner who wants no e-mail about a course. Personal data: that wish. Erased with the learner (cascade)."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", verbose_name=_("learner")
    )
    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="+", verbose_name=_("course"))

    class Meta:
        verbose_name = _("opt-out")
        verbose_name_plural = _("opt-outs")
        constraints = [models.UniqueConstraint(fields=["user", "course"], name="schedules_lms_one_optout")]

    def __str__(self) -> str:
        return gettext("learner %(learner)s about %(course)s") % {"learner": self.user_id, "course": self.course_id}


class LearnerProfile(models.Model):
    """What a learner calls themselves and reads. Personal data: name, language. Erased with the learner (cascade)."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="profile", verbose_name=_("learner")
    )
    name = models.CharField(_("name"), max_length=255, blank=True)
    language = models.CharField(_("language"), max_length=35, blank=True)

    class Meta:
        verbose_name = _("learner profile")
        verbose_name_plural = _("learner profiles")

    def __str__(self) -> str:
        return gettext("profile of learner %(learner)s") % {"learner": self.user_id}


def _refusal(field: str, text: Any, value: Any) -> ValidationError:
    """The error that a field's value is refused with; `text` names it as `%(value)r`."""
    return ValidationError({field: ValidationError(text, params={"value": value})})
