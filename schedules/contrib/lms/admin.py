"""Where authors write courses with their weekly highlights, and staff look after learners and sites."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import models
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _
from opaque_keys import InvalidKeyError
from opaque_keys.edx.keys import CourseKey

from schedules import api
from schedules.api import CheckedAdmin
from schedules.contrib.lms.models import (
    Course,
    CourseEmailOptout,
    CourseEnrollment,
    CourseMode,
    LearnerProfile,
    Section,
    SiteConfiguration,
)
from schedules.host import can_be_stored

_USERNAME = f"user__{get_user_model().USERNAME_FIELD}"


def _day(instant: datetime) -> str:
    """The day, as the reader writes it, in the reader's time zone."""
    return date_format(timezone.localtime(instant))


class LinesField(forms.CharField):
    """A list of texts, one on each line. Blank lines are no texts."""

    widget = forms.Textarea(attrs={"rows": 4, "cols": 60})

    def prepare_value(self, value: Any) -> Any:
        """Also of a row that holds what it must not: it is shown, so that it can be corrected."""
        if value is None or isinstance(value, str):
            return value
        return "\n".join(map(str, value)) if isinstance(value, list | tuple) else str(value)

    def to_python(self, value: Any) -> Any:
        return [line for raw in (value or "").splitlines() if (line := raw.strip())]


class StorableJSONField(forms.JSONField):
    """JSON that is shown as it was typed; half a character, which no page can hold, as an escape."""

    def prepare_value(self, value: Any) -> Any:
        text = super().prepare_value(value)
        return text if can_be_stored(text) else json.dumps(value)


class CourseForm(forms.ModelForm):
    """A course, with a readable refusal of an id that is none."""

    def clean_id(self) -> str:
        course_id: str = self.cleaned_data["id"]
        try:
            return str(CourseKey.from_string(course_id))
        except InvalidKeyError as error:
            message = _("%(id)s is no course id; write it like course-v1:Org+Course+Run.")
            raise forms.ValidationError(message, params={"id": course_id}) from error


class SectionForm(forms.ModelForm):
    """A section with its highlights, one on each line."""

    highlights = LinesField(
        label=_("Highlights"), required=False, help_text=_("One on each line. Plain text, sent as the week's news.")
    )


class SectionInline(admin.StackedInline):
    model = Section
    form = SectionForm
    extra = 0
    fields = ["position", "display_name", "highlights", ("hide_from_toc", "visible_to_staff_only")]


class CourseModeInline(admin.TabularInline):
    model = CourseMode
    extra = 0


@admin.register(Course)
class CourseAdmin(CheckedAdmin, admin.ModelAdmin):
    form = CourseForm
    list_display = ["display_name", "starts", "ends", "self_paced", "id"]
    list_filter = ["self_paced", "highlights_enabled_for_messaging", "org"]
    search_fields = ["display_name", "id", "org"]
    fieldsets = [
        (None, {"fields": ["id", "display_name", "org", "language", "image_url"]}),
        (_("Dates and pace"), {"fields": ["start", "end", "self_paced"]}),
        (_("Messages"), {"fields": ["highlights_enabled_for_messaging"]}),
    ]
    inlines = [SectionInline, CourseModeInline]

    @admin.display(description=_("start"), ordering="start", empty_value="–")
    def starts(self, row: Course) -> str | None:
        return _day(row.start) if row.start else None

    @admin.display(description=_("end"), ordering="end", empty_value="–")
    def ends(self, row: Course) -> str | None:
        return date_format(api.last_day(row.end)) if row.end else None

    def get_readonly_fields(self, request: HttpRequest, obj: Course | None = None) -> list[str]:  # noqa: ARG002
        """A course keeps its id: another one would be another course."""
        return ["id"] if obj else []

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Course | None:
        """The course, or `None` where an address holds no course id: then the admin says that there is none."""
        try:
            return super().get_object(request, object_id, from_field)
        except InvalidKeyError:
            return None


class LearnersAdmin(CheckedAdmin, admin.ModelAdmin):
    """Rows that belong to a learner: many, so none is counted that nobody asked for."""

    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """What the query names, less keys that are none: a field that completes what is typed looks them up."""
        named = super().get_changeform_initial_data(request)
        return {name: value for name, value in named.items() if self._can_be_key(name, value)}

    def _can_be_key(self, name: str, value: Any) -> bool:
        if name not in self.autocomplete_fields:
            return True
        field: Any = self.opts.get_field(name)
        try:
            field.target_field.to_python(value)
        except (ValidationError, InvalidKeyError):
            return False
        return True


class EnrollmentsAdmin(LearnersAdmin):
    """Rows about a learner and a course."""

    autocomplete_fields = ["user", "course"]
    list_select_related = ["user", "course"]
    search_fields = [_USERNAME, "course__id"]
    search_help_text = _("Search by username or course id.")


@admin.register(CourseEnrollment)
class CourseEnrollmentAdmin(EnrollmentsAdmin):
    list_display = ["user", "enrolled", "mode", "is_active", "course"]
    list_filter = ["mode", "is_active"]
    readonly_fields = ["last_active_at", "upgraded_at", "completed_at"]
    ordering = ["-pk"]

    @admin.display(description=_("enrolled"), ordering="created")
    def enrolled(self, row: CourseEnrollment) -> str:
        return _day(row.created)


@admin.register(CourseEmailOptout)
class CourseEmailOptoutAdmin(EnrollmentsAdmin):
    list_display = ["user", "course"]
    ordering = ["-pk"]


@admin.register(LearnerProfile)
class LearnerProfileAdmin(LearnersAdmin):
    list_display = ["user", "name", "language"]
    list_filter = ["language"]
    list_select_related = ["user"]
    search_fields = [_USERNAME, "name"]
    search_help_text = _("Search by username or name.")
    autocomplete_fields = ["user"]
    ordering = ["-pk"]


@admin.register(SiteConfiguration)
class SiteConfigurationAdmin(CheckedAdmin, admin.ModelAdmin):
    formfield_overrides = {models.JSONField: {"form_class": StorableJSONField}}
    list_display = ["site", "enabled"]
    list_filter = ["enabled"]
    list_select_related = ["site"]
    search_fields = ["site__domain", "site__name"]
