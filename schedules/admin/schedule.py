"""Learners' schedules, with a filter for the known mistakes, and the control group."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import models, transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from schedules.admin.base import LargeTableAdmin, ReadOnlyAdmin, learners
from schedules.admin.problems import ProblemFilter
from schedules.models import HoldBack, Schedule, ScheduleExperience
from schedules.models.schedule import EXPERIENCE_CHOICES
from schedules.values.data import ExperienceType

_CHUNK = 500
_LABELS = dict(EXPERIENCE_CHOICES)


class ExperienceFilter(admin.SimpleListFilter):
    """Which e-mails belong to the schedule. Without a row of its own, a schedule counts as `default`."""

    title = _("experience")
    parameter_name = "experience"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ARG002
        return [(str(number), label) for number, label in EXPERIENCE_CHOICES]

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Schedule]) -> models.QuerySet[Schedule]:  # noqa: ARG002
        if self.value() == str(ExperienceType.DEFAULT.value):
            return queryset.filter(
                Q(experience__isnull=True) | Q(experience__experience_type=ExperienceType.DEFAULT.value)
            )
        if self.value() == str(ExperienceType.COURSE_UPDATES.value):
            return queryset.filter(experience__experience_type=ExperienceType.COURSE_UPDATES.value)
        return queryset


class ExperienceForm(forms.ModelForm):
    """The one experience of a schedule, saved also when it is the default."""

    def has_changed(self) -> bool:
        return self.instance.pk is None or super().has_changed()


class ExperienceInline(admin.StackedInline):
    """The experience. Saving a schedule that has none gives it the row."""

    model = ScheduleExperience
    form = ExperienceForm
    min_num = max_num = 1
    can_delete = False


class LearnerInCourseSearch(LargeTableAdmin):
    """Search by the start of a username, or by a whole course id."""

    search_fields = ("user__username", "course_id")
    search_help_text = _("The start of a learner's username, or a full course id.")

    def find(self, queryset: models.QuerySet[Any], term: str) -> models.QuerySet[Any]:
        return queryset.filter(Q(user__in=learners(startswith=term)) | Q(course_id=term))


@admin.register(Schedule)
class ScheduleAdmin(LearnerInCourseSearch):
    """Schedules: whose they are and in which course does not change, their dates and experience do."""

    list_display = ("learner", "course_id", "org", "start_date", "upgrade_deadline", "experience_shown")
    list_select_related = ("user", "experience")
    list_filter = (("course_id", admin.AllValuesFieldListFilter), ExperienceFilter, ProblemFilter)
    sortable_by = ("course_id", "start_date", "upgrade_deadline")
    raw_id_fields = ("user",)
    fields = ("user", "course_id", "org", "enrolled_at", "start_date", "upgrade_deadline", "created", "modified")
    inlines = (ExperienceInline,)
    actions = ("change_to_default", "change_to_course_updates")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:  # noqa: ARG002
        given = ("enrolled_at", "created", "modified")
        return ("user", "course_id", *given) if obj else given

    @admin.display(description=_("experience"))
    def experience_shown(self, schedule: Schedule) -> Any:
        experience: ScheduleExperience | None = getattr(schedule, "experience", None)
        return str(experience) if experience else _("not set: counts as the default")

    @admin.action(description=_("Change experience to: Recurring Nudge and Upgrade Reminder"), permissions=["change"])
    def change_to_default(self, request: HttpRequest, queryset: models.QuerySet[Schedule]) -> None:
        self._change_experience(request, queryset, ExperienceType.DEFAULT)

    @admin.action(description=_("Change experience to: Course Updates"), permissions=["change"])
    def change_to_course_updates(self, request: HttpRequest, queryset: models.QuerySet[Schedule]) -> None:
        self._change_experience(request, queryset, ExperienceType.COURSE_UPDATES)

    def _change_experience(
        self, request: HttpRequest, queryset: models.QuerySet[Schedule], experience: ExperienceType
    ) -> None:
        # All keys first: the list may be filtered by the very column that is about to change.
        stored = list(queryset.order_by().values_list("pk", "experience__experience_type"))
        to_change = [pk for pk, number in stored if number != experience.value]
        label = str(_LABELS[experience.value])
        change = gettext("Changed experience to %(label)s.") % {"label": label}
        staff: Any = request.user
        with transaction.atomic():
            for start in range(0, len(to_change), _CHUNK):
                chunk = to_change[start : start + _CHUNK]
                _store_experience(chunk, experience)
                LogEntry.objects.log_actions(staff.pk, Schedule.objects.filter(pk__in=chunk), CHANGE, change)
        text = ngettext(
            "%(count)d schedule changed to %(label)s.", "%(count)d schedules changed to %(label)s.", len(to_change)
        )
        shown = text % {"count": len(to_change), "label": label}
        self.message_user(request, shown, messages.SUCCESS if to_change else messages.WARNING)
        if unchanged := len(stored) - len(to_change):
            text = ngettext(
                "%(count)d schedule was at %(label)s already.",
                "%(count)d schedules were at %(label)s already.",
                unchanged,
            )
            self.message_user(request, text % {"count": unchanged, "label": label}, messages.INFO)


def _store_experience(schedule_ids: list[int], experience: ExperienceType) -> None:
    """Set the experience of these schedules. Missing rows come first, so that one made meanwhile is set as well."""
    rows = [ScheduleExperience(schedule_id=pk, experience_type=experience.value) for pk in schedule_ids]
    ScheduleExperience.objects.bulk_create(rows, ignore_conflicts=True)
    ScheduleExperience.objects.filter(schedule_id__in=schedule_ids).update(experience_type=experience.value)


@admin.register(HoldBack)
class HoldBackAdmin(LearnerInCourseSearch, ReadOnlyAdmin):
    """The control group: learners who, at random, got no schedule."""

    list_display = ("learner", "course_id", "site", "experience_type", "content_availability_date", "upgrade_deadline")
    list_select_related = ("user", "site")
    list_filter = ("site", "experience_type")
    sortable_by = ()
