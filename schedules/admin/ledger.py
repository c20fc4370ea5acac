"""What was decided about each message, and each run that decided it: to be read, never written."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db import models
from django.db.models import Q
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.formats import date_format, localize
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy as _

from schedules.admin import counts
from schedules.admin.banner import StatusBanner
from schedules.admin.base import ReadOnlyAdmin, learners
from schedules.ledger import why_stopped
from schedules.message_types.reasons import known_reasons, remedy, sentence
from schedules.models import ScheduledMessage, SendRun


class MessageTypeFilter(admin.SimpleListFilter):
    """By message type, which the runs know: theirs is the small table."""

    title = _("message type")
    parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        types = SendRun.objects.order_by("message_type").values_list("message_type", flat=True).distinct()
        return [(message_type, message_type) for message_type in types]

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:  # noqa: ARG002
        return queryset.filter(run__message_type=self.value()) if self.value() else queryset


class ReasonFilter(admin.SimpleListFilter):
    """By the reason's word."""

    title = _("reason")
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return [(reason, reason) for reason in known_reasons()]

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:  # noqa: ARG002
        word = self.value()
        return queryset.filter(reason=word) if word else queryset


class RunFilter(admin.SimpleListFilter):
    """Shown where the list was opened from a run, to say so and to leave it again."""

    title = _("run")
    parameter_name = "run"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        key = _uuid(self.value() or "")
        return [(str(key), str(run)) for run in SendRun.objects.filter(pk=key)] if key else []

    def has_output(self) -> bool:
        return self.value() is not None

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:  # noqa: ARG002
        key = _uuid(self.value() or "")
        return queryset.filter(run=key) if key else queryset.none()


class DayFilter(admin.SimpleListFilter):
    """One target day, picked from a calendar: listing the days would read the whole table."""

    title = _("target day")
    parameter_name = "target_date"
    template = "admin/schedules/day_filter.html"

    def __init__(self, request: HttpRequest, *args: Any) -> None:
        super().__init__(request, *args)
        kept = {name: values for name, values in request.GET.lists() if name not in (self.parameter_name, "p", "e")}
        self.kept_parameters = [(name, value) for name, values in kept.items() for value in values]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return []

    def has_output(self) -> bool:
        return True

    def choices(self, changelist: Any) -> Iterator[Any]:
        yield {"query_string": changelist.get_query_string(remove=[self.parameter_name])}

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:  # noqa: ARG002
        if not self.value():
            return queryset
        try:
            return queryset.filter(target_date=datetime.date.fromisoformat(self.value() or ""))
        except ValueError as error:
            raise IncorrectLookupParameters(error) from error


@admin.register(ScheduledMessage)
class ScheduledMessageAdmin(StatusBanner, ReadOnlyAdmin):
    """The ledger."""

    list_display = ("name", "learner", "site", "target_date", "status", "reason", "sent_at", "run_link")
    list_select_related = ("user", "site", "run")
    list_filter = (RunFilter, DayFilter, "status", MessageTypeFilter, ReasonFilter, "site")
    sortable_by = ()
    search_fields = ("user__username", "uuid")
    search_help_text = _("A learner's full username, or the uuid of a message or of a run.")
    fieldsets = (
        (None, {"fields": ("uuid", "run", "site", "user", "name", "target_date", "day_offset")}),
        (_("Courses"), {"fields": ("courses", "schedule")}),
        (_("Outcome"), {"fields": ("status", "reason", "explanation", "attempts", "due_at", "leased_until")}),
        (_("Delivery"), {"fields": ("channel", "language", "created", "sent_at")}),
        (_("What the learner did"), {"fields": ("opened_at", "clicked_at", "opted_out_at")}),
    )

    @admin.display(description=_("courses"))
    def courses(self, message: ScheduledMessage) -> str:
        ids = message.course_ids
        return ", ".join(map(str, ids)) if isinstance(ids, list) else str(ids)

    @admin.display(description=_("explanation"))
    def explanation(self, message: ScheduledMessage) -> Any:
        """The sentence, and what can be done."""
        if not message.reason:
            return None
        lines = [sentence(message.reason, message.detail), remedy(message.reason)]
        return format_html_join(mark_safe("<br>"), "{}", ((line,) for line in lines if line))

    @admin.display(description=_("run"))
    def run_link(self, message: ScheduledMessage) -> str:
        url = reverse("admin:schedules_sendrun_change", args=[message.run_id])
        return format_html('<a href="{}">{}</a>', url, date_format(message.run.date, "SHORT_DATE_FORMAT"))

    def find(self, queryset: models.QuerySet[Any], term: str) -> models.QuerySet[Any]:
        key = _uuid(term)
        return queryset.filter(Q(pk=key) | Q(run=key)) if key else queryset.filter(user__in=learners(exact=term))


class RunStateFilter(admin.SimpleListFilter):
    """How far the run is."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ARG002
        return [("finished", _("Finished")), ("under-way", _("Under way")), ("stopped", _("Stopped"))]

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[SendRun]) -> models.QuerySet[SendRun]:  # noqa: ARG002
        is_stopped = Q(counts__has_key="stopped")
        match self.value():
            case "stopped":
                return queryset.filter(is_stopped)
            case "finished":
                return queryset.exclude(is_stopped).filter(finished_at__isnull=False)
            case "under-way":
                return queryset.exclude(is_stopped).filter(finished_at__isnull=True)
        return queryset


@admin.register(SendRun)
class SendRunAdmin(StatusBanner, ReadOnlyAdmin):
    """The runs: one message type, site, day and day offset each."""

    list_display = (
        "date",
        "message_type",
        "day_offset_signed",
        "site",
        "state",
        "found",
        "sent",
        "skipped",
        "failed",
        "messages_link",
    )
    list_select_related = ("site",)
    list_filter = ("site", "message_type", RunStateFilter, "date")
    date_hierarchy = "date"
    sortable_by = ()
    search_fields = ("uuid",)
    search_help_text = _("The uuid of a run (the send_uuid of its messages).")
    fieldsets = (
        (None, {"fields": ("uuid", "site", "message_type", "date", "origin", "day_offset_signed", "target_day")}),
        (_("Outcome"), {"fields": ("state", "started_at", "finished_at", "counts_table", "messages_link")}),
    )

    @admin.display(description=_("day offset"))
    def day_offset_signed(self, run: SendRun) -> str:
        return f"{run.day_offset:+d}"

    @admin.display(description=_("target day"))
    def target_day(self, run: SendRun) -> str:
        return localize(run.date + datetime.timedelta(days=run.day_offset))

    @admin.display(description=_("state"))
    def state(self, run: SendRun) -> Any:
        if stopped := why_stopped(run):
            return _("Stopped: %(reason)s") % {"reason": stopped}
        return _("Finished") if run.finished_at else _("Under way")

    @admin.display(description=_("found"))
    def found(self, run: SendRun) -> int | None:
        return counts.found(run)

    @admin.display(description=_("sent"))
    def sent(self, run: SendRun) -> int | None:
        return _number(run, "sent")

    @admin.display(description=_("skipped"))
    def skipped(self, run: SendRun) -> int | None:
        return _number(run, "skipped")

    @admin.display(description=_("failed"))
    def failed(self, run: SendRun) -> int | None:
        return _number(run, "failed")

    @admin.display(description=_("counts"))
    def counts_table(self, run: SendRun) -> str:
        rows = [
            {"label": line.label, "count": line.number, "url": _messages_url(run, **line.query) if line.query else ""}
            for line in counts.lines(run)
        ]
        return render_to_string("admin/schedules/run_counts.html", {"rows": rows})

    @admin.display(description=_("messages"))
    def messages_link(self, run: SendRun) -> str:
        return format_html('<a href="{}">{}</a>', _messages_url(run), _("Show messages"))

    def find(self, queryset: models.QuerySet[Any], term: str) -> models.QuerySet[Any]:
        return queryset.filter(pk=_uuid(term))


def _number(run: SendRun, name: str) -> int | None:
    totals = counts.totals(run)
    return totals.number(name) if totals else None


def _messages_url(run: SendRun, **query: str) -> str:
    return f"{reverse('admin:schedules_scheduledmessage_changelist')}?{urlencode({'run': str(run.pk), **query})}"


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
