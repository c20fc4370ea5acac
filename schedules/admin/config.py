"""What staff switch. A change is a new row, with who made it; older rows stay to be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from config_models.admin import ConfigurationModelAdmin, KeyedConfigurationModelAdmin
from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop
from waffle import get_waffle_flag_model

from schedules.admin.banner import StatusBanner
from schedules.message_types import resolver_for
from schedules.models import (
    CourseDynamicUpgradeDeadlineConfiguration,
    DynamicUpgradeDeadlineConfiguration,
    OrgDynamicUpgradeDeadlineConfiguration,
    ScheduleConfig,
    WaffleFlagCourseOverride,
    WaffleFlagOrgOverride,
)
from schedules.pages import CheckedAdmin, check_input
from schedules.toggles import CREATE_SCHEDULES_FLAG

_NO_OPINION = _("Off: this row has no opinion.")

#: What django-config-models calls its columns and its link, without translations; the app's catalogs have them.
_BORROWED = [gettext_noop("Change date"), gettext_noop("Changed by"), gettext_noop("Enabled"), gettext_noop("Update")]


class HistoryFilter(admin.SimpleListFilter):
    """The rows that count today, or every row there ever was."""

    title = _("history")
    parameter_name = "show_history"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ARG002
        return [("1", _("Every change"))]

    def choices(self, changelist: Any) -> Iterator[Any]:
        today, *rest = super().choices(changelist)
        yield {**today, "display": _("What counts now")}
        yield from rest

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:  # noqa: ARG002
        if self.value() == "1":
            return queryset
        model: Any = queryset.model
        return queryset.filter(pk__in=model.objects.current_set().values("pk"))


class ConfigurationPage(CheckedAdmin, ConfigurationModelAdmin):
    """Adds to django-config-models' admin: chosen columns, pages of kept rows that cannot be posted, permissions."""

    change_form_template = "admin/schedules/configuration/change_form.html"
    date_hierarchy = None
    list_select_related: Sequence[str] = ("changed_by",)
    show_facets = admin.ShowFacets.NEVER
    actions = ("revert",)
    #: Django's own, which asks for permissions; the inherited one has a signature that Django 6.1 warns about.
    get_actions = admin.ModelAdmin.get_actions

    def get_list_display(self, request: HttpRequest) -> Sequence[Any]:  # noqa: ARG002 - Django's signature
        return [*self.list_display, "change_date", "changed_by"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Kept rows are read; changing means adding, for which the page offers a button."""
        return False

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """A kept row also says since when it stands, and by whom."""
        fieldsets = super().get_fieldsets(request, obj)
        return [*fieldsets, (_("Recorded"), {"fields": ("change_date", "changed_by")})] if obj else fieldsets

    @admin.action(description=_("Go back to the selected row (adds a copy of it)"), permissions=["add"])
    def revert(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> Any:
        return super().revert(request, queryset)

    def formfield_for_dbfield(self, db_field: models.Field, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "enabled":
            kwargs["help_text"] = _NO_OPINION
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        extra_context = {"update_query": self.update_query(object_id), **(extra_context or {})}
        response: HttpResponse = super().change_view(request, object_id, form_url, extra_context=extra_context)
        return response

    def update_query(self, object_id: str) -> str:  # noqa: ARG002 - keyed configurations need it
        """Query string of the form that starts from this row; without a key it starts from what counts now."""
        return ""


class KeyedConfigurationPage(ConfigurationPage, KeyedConfigurationModelAdmin):
    """A configuration with one opinion per site, organization or course."""

    list_filter: Sequence[Any] = (HistoryFilter,)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        """Every row, so that older ones can be opened too; `HistoryFilter` narrows the list."""
        rows: models.QuerySet[Any] = self.model.objects.with_active_flag()
        return rows.order_by(*(self.get_ordering(request) or ["-pk"]))

    def get_list_display(self, request: HttpRequest) -> Sequence[Any]:
        columns = super().get_list_display(request)
        if not self.has_add_permission(request):
            return columns
        keys = len(self.model.KEY_FIELDS)
        return [*columns[:keys], "edit_link", *columns[keys:]]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """A new row is meant to count, unless it starts from one that does not."""
        return {"enabled": True, **super().get_changeform_initial_data(request)}

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        check_input(request)
        if not request.GET.get("source", "0").isdecimal():  # django-config-models takes it for a number
            parameters: Any = request.GET.copy()
            del parameters["source"]
            request.GET = parameters
        response: HttpResponse = super().add_view(request, form_url, extra_context)
        return response

    def update_query(self, object_id: str) -> str:
        return f"?source={object_id}"


#: The message types that have switches: `enqueue_<type>` (find learners) and `deliver_<type>` (send).
_columns = [field.name for field in ScheduleConfig._meta.fields]
SWITCHED_TYPES = tuple(name.removeprefix("enqueue_") for name in _columns if name.startswith("enqueue_"))


def switches_column(message_type: str) -> Callable[[ScheduleConfig], str]:
    """One column for both switches of a message type: a column for each would not fit a screen."""

    @admin.display(description=resolver_for(message_type).label)
    def column(config: ScheduleConfig) -> str:
        is_found, is_sent = getattr(config, f"enqueue_{message_type}"), getattr(config, f"deliver_{message_type}")
        return format_html("{}&nbsp;{} {}&nbsp;{}", _("find"), _icon(is_found), _("send"), _icon(is_sent))

    return column


def _icon(is_on: bool) -> str:
    image, alt = ("yes", _("on")) if is_on else ("no", _("off"))
    return format_html('<img src="{}" alt="{}">', static(f"admin/img/icon-{image}.svg"), alt)


@admin.register(ScheduleConfig)
class ScheduleConfigAdmin(StatusBanner, KeyedConfigurationPage):
    """The switches of one site. The inherited `enabled` is not shown, for nothing reads it."""

    list_display = ("site", "create_schedules", "hold_back_ratio", *map(switches_column, SWITCHED_TYPES))
    list_select_related = ("site", "changed_by")
    ordering = ("site__domain", "-pk")
    fieldsets = (
        (None, {"fields": ("site",)}),
        (_("Creating schedules"), {"fields": ("create_schedules", "hold_back_ratio")}),
        *(
            (capfirst(resolver_for(name).label), {"fields": ((f"enqueue_{name}", f"deliver_{name}"),)})
            for name in SWITCHED_TYPES
        ),
    )


@admin.register(DynamicUpgradeDeadlineConfiguration)
class PlatformDeadlineAdmin(ConfigurationPage):
    """The platform's upgrade deadline. The newest row counts."""

    list_display = ("deadline_days", "enabled")
    ordering = ("-pk",)
    fields = ("enabled", "deadline_days")


@admin.register(OrgDynamicUpgradeDeadlineConfiguration)
class OrgDeadlineAdmin(KeyedConfigurationPage):
    """Organizations' upgrade deadlines."""

    list_display = ("org_id", "enabled", "deadline_days", "opt_out")
    ordering = ("org_id", "-pk")
    search_fields = ("org_id",)
    fields = ("org_id", "enabled", "deadline_days", "opt_out")


@admin.register(CourseDynamicUpgradeDeadlineConfiguration)
class CourseDeadlineAdmin(KeyedConfigurationPage):
    """Courses' upgrade deadlines."""

    list_display = ("course_id", "enabled", "deadline_days", "opt_out")
    ordering = ("course_id", "-pk")
    search_fields = ("course_id",)
    fields = ("course_id", "enabled", "deadline_days", "opt_out")


class FlagOverrideAdmin(KeyedConfigurationPage):
    """A flag's answer for a part of the platform. The flag is chosen from those that exist: a typo would do nothing."""

    list_filter = (HistoryFilter, "waffle_flag", "override_choice")

    def formfield_for_dbfield(self, db_field: models.Field, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "waffle_flag":
            return forms.ChoiceField(label=capfirst(db_field.verbose_name), choices=self.flags())
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def flags(self) -> list[tuple[str, str]]:
        """The app's own flags first, then those of the waffle, then those with an override already."""
        names = [
            CREATE_SCHEDULES_FLAG,
            *get_waffle_flag_model().objects.order_by("name").values_list("name", flat=True),
            *self.model.objects.order_by("waffle_flag").values_list("waffle_flag", flat=True).distinct(),
        ]
        return [(name, name) for name in dict.fromkeys(names)]


@admin.register(WaffleFlagOrgOverride)
class OrgFlagOverrideAdmin(FlagOverrideAdmin):
    """A flag's answers for organizations."""

    list_display = ("waffle_flag", "org", "enabled", "override_choice")
    ordering = ("waffle_flag", "org", "-pk")
    search_fields = ("org",)
    fields = ("waffle_flag", "org", "enabled", "override_choice")


@admin.register(WaffleFlagCourseOverride)
class CourseFlagOverrideAdmin(FlagOverrideAdmin):
    """A flag's answers for courses."""

    list_display = ("waffle_flag", "course_id", "enabled", "override_choice")
    ordering = ("waffle_flag", "course_id", "-pk")
    search_fields = ("course_id",)
    fields = ("waffle_flag", "course_id", "enabled", "override_choice")
