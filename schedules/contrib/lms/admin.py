"""Where course teams write highlights and sell certificates, and staff look after enrollments."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from opaque_keys import InvalidKeyError
from opaque_keys.edx.keys import CourseKey

from schedules.contrib.lms.models import (
    Course,
    CourseEmailOptout,
    CourseEnrollment,
    CourseMode,
    LearnerProfile,
    Section,
    SiteConfiguration,
)


class LinesField(forms.CharField):
    """A list of texts, one on each line."""

    widget = forms.Textarea(attrs={"rows": 4, "cols": 60})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return [text for line in (value or "").splitlines() if (text := line.strip())]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.to_python(data) != (initial or []))


class SectionForm(forms.ModelForm):
    highlights = LinesField(label=_("highlights"), required=False, help_text=_("One on each line, in plain text."))

    class Meta:
        model = Section
        fields = ("position", "display_name", "highlights", "hide_from_toc", "visible_to_staff_only")


class SectionInline(admin.StackedInline):
    model = Section
    form = SectionForm
    extra = 0


class CourseModeInline(admin.TabularInline):
    model = CourseMode
    extra = 0


class CourseForm(forms.ModelForm):
    """Checks a new course's id before Django tries to store it."""

    class Meta:
        model = Course
        fields = "__all__"  # noqa: DJ007 - the LMS's own staff edit whole courses

    def clean_id(self) -> Any:
        value = self.cleaned_data["id"]
        try:
            return CourseKey.from_string(str(value))
        except InvalidKeyError:
            raise forms.ValidationError(
                _("%(value)s is no course id; write it like course-v1:MeadowX+GARDEN1+2026."), params={"value": value}
            ) from None


@admin.register(Course)
class CourseAdmin(admin.ModelAdmin):
    form = CourseForm
    inlines = [SectionInline, CourseModeInline]
    list_display = ["display_name", "id", "org", "start", "end", "self_paced", "highlights_enabled_for_messaging"]
    list_filter = ["org", "self_paced", "highlights_enabled_for_messaging"]
    search_fields = ["display_name", "id"]

    def get_readonly_fields(self, request: Any, obj: Course | None = None) -> list[str]:  # noqa: ARG002
        """The id is what schedules hold on to: it never changes."""
        return ["id"] if obj else []


@admin.register(CourseEnrollment)
class CourseEnrollmentAdmin(admin.ModelAdmin):
    autocomplete_fields = ["user", "course"]
    list_display = ["user", "course", "mode", "is_active", "created"]
    list_filter = ["mode", "is_active"]
    list_select_related = ["user", "course"]
    search_fields = ["user__username"]


@admin.register(SiteConfiguration)
class SiteConfigurationAdmin(admin.ModelAdmin):
    list_display = ["site", "enabled"]
    list_select_related = ["site"]


@admin.register(CourseEmailOptout)
class CourseEmailOptoutAdmin(admin.ModelAdmin):
    autocomplete_fields = ["user", "course"]
    list_display = ["user", "course"]
    list_select_related = ["user", "course"]
    search_fields = ["user__username"]


@admin.register(LearnerProfile)
class LearnerProfileAdmin(admin.ModelAdmin):
    autocomplete_fields = ["user"]
    list_display = ["user", "name", "language"]
    list_filter = ["language"]
    list_select_related = ["user"]
    search_fields = ["user__username", "name"]
