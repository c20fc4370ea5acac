"""Schedules: when each learner started a course, and which e-mails they get."""

from __future__ import annotations

from django.conf import settings
from django.contrib.sites.models import Site
from django.db import models, router
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from model_utils.models import TimeStampedModel

from schedules.models.fields import EnrolledAtField, ExactCharField
from schedules.values.data import ExperienceType

EXPERIENCE_CHOICES = [
    (ExperienceType.DEFAULT.value, _("Recurring Nudge and Upgrade Reminder")),
    (ExperienceType.COURSE_UPDATES.value, _("Course Updates")),
]


class Schedule(TimeStampedModel):
    """One learner's dates in one course.

    `enrolled_at` begins an episode: all dates are computed from it, and what was said since is not said again.
    Personal data: which course a learner takes and since when. Erased with the learner (cascade).
    """

    #: The field that says when the learner could begin.
    START_FIELD = "start_date"

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", verbose_name=_("learner")
    )
    course_id = ExactCharField(_("course"), max_length=255)
    org = ExactCharField(_("organization"), max_length=255)
    enrolled_at = EnrolledAtField(
        _("enrolled"), blank=True, help_text=_("When the learner enrolled, the last time if more than once.")
    )
    start_date = models.DateTimeField(
        _("start"), db_index=True, help_text=_("When the learner could begin: their enrollment or the course's start.")
    )
    upgrade_deadline = models.DateTimeField(
        _("upgrade deadline"), null=True, blank=True, db_index=True, help_text=_("Empty: there is none.")
    )

    class Meta:
        verbose_name = _("schedule")
        verbose_name_plural = _("schedules")
        constraints = [models.UniqueConstraint(fields=["user", "course_id"], name="schedules_one_per_enrollment")]
        indexes = [models.Index(fields=["course_id", "id"], name="schedules_schedule_course")]

    def __str__(self) -> str:
        return gettext("learner %(learner)s in %(course)s") % {"learner": self.user_id, "course": self.course_id}


class ScheduleExperience(models.Model):
    """Which set of e-mails belongs to a schedule; a schedule without this row counts as `default`.

    Personal data: none beyond the schedule's. Erased with it (cascade).
    """

    schedule = models.OneToOneField(
        Schedule, on_delete=models.CASCADE, related_name="experience", verbose_name=_("schedule")
    )
    experience_type = models.PositiveSmallIntegerField(
        _("experience"), choices=EXPERIENCE_CHOICES, default=ExperienceType.DEFAULT.value
    )

    class Meta:
        verbose_name = _("schedule experience")
        verbose_name_plural = _("schedule experiences")

    def __str__(self) -> str:
        return str(self.get_experience_type_display())


class HoldBack(TimeStampedModel):
    """A learner who, at random, gets no schedule: the control group.

    `segment_due_at`: Segment is to hear of it then; empty where it knows, or is not to.
    Personal data: which course a learner takes and since when. Erased with the learner (cascade).
    """

    START_FIELD = "content_availability_date"

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", verbose_name=_("learner")
    )
    course_id = ExactCharField(_("course"), max_length=255)
    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="+", verbose_name=_("site"))
    experience_type = models.PositiveSmallIntegerField(_("experience"), choices=EXPERIENCE_CHOICES)
    enrolled_at = EnrolledAtField(_("enrolled"), blank=True)
    content_availability_date = models.DateTimeField(_("start"))
    upgrade_deadline = models.DateTimeField(_("upgrade deadline"), null=True, blank=True)
    segment_due_at = models.DateTimeField(null=True, editable=False, db_index=True)

    class Meta:
        verbose_name = _("hold-back")
        verbose_name_plural = _("hold-backs")
        constraints = [models.UniqueConstraint(fields=["user", "course_id"], name="schedules_one_hold_back")]
        indexes = [models.Index(fields=["course_id", "id"], name="schedules_hold_back_course")]

    def __str__(self) -> str:
        return gettext("learner %(learner)s in %(course)s") % {"learner": self.user_id, "course": self.course_id}


class CourseChange(models.Model):
    """A course that changed, while its schedules have yet to follow.

    Written by `schedules.enrolling.course_changes` alone. `facts`: what changed, as `data.CourseFact`; `version` tells
    the change from any other. The two positions are the primary keys of the last rows that followed. Personal data:
    none.
    """

    course_id = ExactCharField(max_length=255, primary_key=True)
    facts = models.JSONField(default=list)
    version = models.PositiveIntegerField(default=1)
    last_schedule_id = models.BigIntegerField(default=0)
    last_hold_back_id = models.BigIntegerField(default=0)
    leased_until = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.course_id


def database() -> str:
    """The alias of the database that schedules are written to."""
    return router.db_for_write(Schedule)
