"""What staff switch. A change is a new row, with who made it; older rows stay to be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from config_models.admin import ConfigurationModelAdmin, KeyedConfigurationModelAdmin
from django import forms
from django.contrib import admin
from django.contrib.sites.models import Site
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.templatetags.static import static
from django.utils.functional import lazy
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop
from waffle import get_waffle_flag_model

from schedules.admin.banner import StatusBanner
from schedules.message_types import usable_resolvers
from schedules.models import (
    CourseDynamicUpgradeDeadlineConfiguration,
    DynamicUpgradeDeadlineConfiguration,
    MessageTypeSwitch,
    OrgDynamicUpgradeDeadlineConfiguration,
    ScheduleConfig,
    WaffleFlagCourseOverride,
    WaffleFlagOrgOverride,
)
from schedules.pages import CheckedAdmin, check_input
from schedules.toggles import CREATE_SCHEDULES_FLAG, WITH_COLUMNS

_NOT_SET = _("Off: nothing is set here, and the wider setting applies.")

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
        yield {**today, "display": _("Current values")}
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

    @admin.action(description=_("Restore the selected row (adds a copy of it)"), permissions=["add"])
    def revert(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> Any:
        return super().revert(request, queryset)

    def formfield_for_dbfield(self, db_field: models.Field, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "enabled":
            kwargs["help_text"] = _NOT_SET
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
    """A configuration with one row per site, organization or course."""

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


def switches_column(message_type: str) -> Callable[[ScheduleConfig], str]:
    """One column for both switches of a message type: a column for each would not fit a screen."""

    @admin.display(description=_label(message_type))
    def column(config: ScheduleConfig) -> str:
        is_found, is_sent = getattr(config, f"enqueue_{message_type}"), getattr(config, f"deliver_{message_type}")
        return format_html("{}&nbsp;{} {}&nbsp;{}", _("find"), _icon(is_found), _("send"), _icon(is_sent))

    return column


def _icon(is_on: bool) -> str:
    image, alt = ("yes", _("on")) if is_on else ("no", _("off"))
    return format_html('<img src="{}" alt="{}">', static(f"admin/img/icon-{image}.svg"), alt)


def _label(message_type: str) -> Any:
    """The type's own; asked for when a page is made, for the types are the settings'."""
    return lazy(_label_now, str)(message_type)


def _label_now(message_type: str) -> str:
    resolver = usable_resolvers().get(message_type)
    return str(resolver.label) if resolver else message_type


def _types_with_rows() -> list[str]:
    """The message types whose switches are rows of `MessageTypeSwitch`."""
    return [key for key in usable_resolvers() if key not in WITH_COLUMNS]


@admin.register(ScheduleConfig)
class ScheduleConfigAdmin(StatusBanner, KeyedConfigurationPage):
    """The switches of one site. The inherited `enabled` is not shown, for nothing reads it.

    Those of message types without columns are rows of their own, and are edited here too.
    """

    list_display = ("site", "create_schedules", "hold_back_ratio", *map(switches_column, WITH_COLUMNS))
    list_select_related = ("site", "changed_by")
    ordering = ("site__domain", "-pk")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:  # noqa: ARG002
        keys = [*WITH_COLUMNS, *([] if obj else _types_with_rows())]
        return [
            (None, {"fields": ("site",)}),
            (_("Creating schedules"), {"fields": ("create_schedules", "hold_back_ratio")}),
            *((capfirst(_label_now(key)), {"fields": ((f"enqueue_{key}", f"deliver_{key}"),)}) for key in keys),
            *([(_("Recorded"), {"fields": ("change_date", "changed_by")})] if obj else []),
        ]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        fields: dict[str, Any] = {}
        for key in _types_with_rows():
            label = _label_now(key)
            names = {"enqueue": _("find learners: %(type)s"), "deliver": _("send: %(type)s")}
            for stage, text in names.items():
                fields[f"{stage}_{key}"] = forms.BooleanField(required=False, label=capfirst(text % {"type": label}))
        return super().get_form(request, obj, change, form=type("SwitchesForm", (forms.ModelForm,), fields), **kwargs)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """With the switches that count now on the site of the row that it starts from."""
        initial = super().get_changeform_initial_data(request)
        site_id = str(initial.get("site", ""))
        site = Site.objects.filter(pk=site_id).first() if site_id.isdecimal() else None
        for key in _types_with_rows() if site else ():
            row = MessageTypeSwitch.current(site, key)
            initial |= {f"enqueue_{key}": row.enqueue, f"deliver_{key}": row.deliver}
        return initial

    def save_model(self, request: HttpRequest, obj: ScheduleConfig, form: Any, change: bool) -> None:
        """Going back to an old row has no form, and leaves the other types' switches as they are."""
        super().save_model(request, obj, form, change)
        for key in _types_with_rows() if form else ():
            row = MessageTypeSwitch.current(obj.site, key)
            chosen = (form.cleaned_data[f"enqueue_{key}"], form.cleaned_data[f"deliver_{key}"])
            if chosen != (row.enqueue, row.deliver):
                enqueue, deliver = chosen
                MessageTypeSwitch.objects.create(
                    site=obj.site, message_type=key, enqueue=enqueue, deliver=deliver, changed_by=request.user
                )


@admin.register(MessageTypeSwitch)
class MessageTypeSwitchAdmin(KeyedConfigurationPage):
    """What became of the switches of other message types; they are edited with their site's configuration."""

    list_display = ("site", "message_type", "enqueue", "deliver")
    list_select_related = ("site", "changed_by")
    ordering = ("site__domain", "message_type", "-pk")
    fields = ("site", "message_type", "enqueue", "deliver")

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False


@admin.register(DynamicUpgradeDeadlineConfiguration)
class PlatformDeadlineAdmin(ConfigurationPage):
    """The platform's upgrade deadline. The newest row counts."""

    list_display = ("deadline_days", "enabled")
    ordering = ("-pk",)
    fields = ("enabled", "deadline_days")


class PartPage(KeyedConfigurationPage):
    """What is set for organizations or for courses; the model's last key says which of them."""

    columns: Sequence[str]

    def __init__(self, model: Any, admin_site: Any) -> None:
        super().__init__(model, admin_site)
        self.fields = self.list_display = (*model.KEY_FIELDS, "enabled", *self.columns)
        self.ordering, self.search_fields = (*model.KEY_FIELDS, "-pk"), model.KEY_FIELDS[-1:]


@admin.register(OrgDynamicUpgradeDeadlineConfiguration, CourseDynamicUpgradeDeadlineConfiguration)
class PartDeadlineAdmin(PartPage):
    """Organizations' and courses' upgrade deadlines."""

    columns = ("deadline_days", "opt_out")


@admin.register(WaffleFlagOrgOverride, WaffleFlagCourseOverride)
class FlagOverrideAdmin(PartPage):
    """A flag's answer for a part of the platform. The flag is chosen from those that exist: a typo would do nothing."""

    columns = ("override_choice",)
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
