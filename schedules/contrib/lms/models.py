"""What the embedded LMS stores: courses, who takes them, and each site's configuration."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django.conf import settings
from django.contrib.sites.models import Site
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from model_utils import FieldTracker
from opaque_keys.edx.django.models import CourseKeyField

VERIFIED = "verified"


class Course(models.Model):
    """A course run. Personal data: none."""

    id: models.CharField = CourseKeyField(  # type: ignore[no-untyped-call]
        _("course id"), primary_key=True, max_length=255
    )
    display_name = models.CharField(_("name"), max_length=255)
    org = models.CharField(_("organization"), max_length=255, blank=True, help_text=_("Empty: the course id's."))
    start = models.DateTimeField(_("start"), null=True, blank=True)
    end = models.DateTimeField(_("end"), null=True, blank=True)
    self_paced = models.BooleanField(_("self-paced"), default=True)
    language = models.CharField(_("language"), max_length=35, blank=True, help_text=_("A language code, such as es."))
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

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self.org and self.pk is not None:
            self.org = str(self.pk.org)
        super().save(*args, **kwargs)


class Section(models.Model):
    """A section of a course with its weekly highlights. Personal data: none."""

    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="sections")
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
        """Blanks around highlights and empty ones are dropped; what is not text is refused."""
        if not isinstance(self.highlights, list | tuple):
            raise ValidationError({"highlights": f"Highlights are {self.highlights!r}; give a list of texts."})
        for highlight in self.highlights:
            if not isinstance(highlight, str):
                raise ValidationError({"highlights": f"The highlight {highlight!r} is not text; write it as text."})
        self.highlights = [text for raw in self.highlights if (text := raw.strip())]

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.clean()
        super().save(*args, **kwargs)


class CourseMode(models.Model):
    """A way to take a course, with its price. Personal data: none."""

    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="modes")
    mode_slug = models.SlugField(_("mode"), max_length=100, help_text=_("Such as audit, honor or verified."))
    min_price = models.PositiveIntegerField(_("price"), default=0, validators=[MinValueValidator(0)])
    currency = models.CharField(_("currency"), max_length=8, default="usd")
    expiration_datetime = models.DateTimeField(_("offered until"), null=True, blank=True)

    tracker = FieldTracker(fields=["mode_slug", "expiration_datetime"])

    class Meta:
        verbose_name = _("course mode")
        verbose_name_plural = _("course modes")
        constraints = [models.UniqueConstraint(fields=["course", "mode_slug"], name="schedules_lms_one_mode")]

    def __str__(self) -> str:
        return self.mode_slug


class CourseEnrollment(models.Model):
    """A learner in a course.

    Personal data: which course a learner takes, how and since when. Erased with the learner (cascade).
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="enrollments")
    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="enrollments")
    mode = models.CharField(_("mode"), max_length=100, default="audit")
    is_active = models.BooleanField(_("active"), default=True)
    created = models.DateTimeField(_("enrolled"), default=timezone.now)

    tracker = FieldTracker(fields=["is_active"])

    class Meta:
        verbose_name = _("enrollment")
        verbose_name_plural = _("enrollments")
        constraints = [models.UniqueConstraint(fields=["user", "course"], name="schedules_lms_one_enrollment")]

    def __str__(self) -> str:
        return f"learner {self.user_id} in {self.course_id}"


class SiteConfiguration(models.Model):
    """A site's values, which replace settings of the same name. Personal data: none."""

    site = models.OneToOneField(Site, on_delete=models.CASCADE, related_name="configuration")
    enabled = models.BooleanField(_("enabled"), default=False)
    site_values = models.JSONField(_("values"), default=dict, blank=True)

    class Meta:
        verbose_name = _("site configuration")
        verbose_name_plural = _("site configurations")

    def __str__(self) -> str:
        return f"configuration of {self.site.domain}"

    def clean(self) -> None:
        """Refuse values that are not a mapping, and a `course_org_filter` that names no organizations."""
        if not isinstance(self.site_values, Mapping):
            raise ValidationError(
                {"site_values": f"The values are {self.site_values!r}; give a mapping of names to values."}
            )
        claimed = self.site_values.get("course_org_filter") or []
        is_list = isinstance(claimed, Collection) and not isinstance(claimed, Mapping | bytes)
        if not is_list or not all(isinstance(org, str) for org in claimed):
            raise ValidationError(
                {"site_values": f"course_org_filter is {claimed!r}; give an organization or a list of them."}
            )

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.clean()
        super().save(*args, **kwargs)


class CourseEmailOptout(models.Model):
    """A learner who wants no e-mail about a course. Personal data: that wish. Erased with the learner (cascade)."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="+")

    class Meta:
        verbose_name = _("opt-out")
        verbose_name_plural = _("opt-outs")
        constraints = [models.UniqueConstraint(fields=["user", "course"], name="schedules_lms_one_optout")]

    def __str__(self) -> str:
        return f"learner {self.user_id} about {self.course_id}"


class LearnerProfile(models.Model):
    """What a learner calls themselves and reads. Personal data: name, language. Erased with the learner (cascade)."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="profile")
    name = models.CharField(_("name"), max_length=255, blank=True)
    language = models.CharField(_("language"), max_length=35, blank=True)

    class Meta:
        verbose_name = _("learner profile")
        verbose_name_plural = _("learner profiles")

    def __str__(self) -> str:
        return f"profile of learner {self.user_id}"
