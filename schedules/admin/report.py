"""Reports: what became of a site's messages, in numbers, pictures and files. Read from the ledger at each look."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from schedules.admin.base import ReadOnlyAdmin
from schedules.admin.report_form import ReportForm
from schedules.exceptions import redacted_traceback
from schedules.message_types.reasons import summary
from schedules.models import Report
from schedules.reporting import ReportScope, charts, comparison, tables
from schedules.reporting.choices import recent_courses
from schedules.reporting.comparison import Comparison
from schedules.reporting.counts import COUNT_NAMES, MessageReport, ReasonCount, count
from schedules.reporting.words import LABELS, interval_heading, number, of_sent
from schedules.values.outcomes import Totals

log = logging.getLogger(__name__)

#: Of these it is said what share of the sent ones they are.
_SHARES = ("opened", "clicked", "opted_out")


@admin.register(Report)
class ReportAdmin(ReadOnlyAdmin):
    """One page, which is never written to."""

    def get_urls(self) -> list[Any]:
        """No pages of single rows: there are none."""
        view = self.admin_site.admin_view(self.changelist_view)
        return [path("", view, name=f"{self.opts.app_label}_{self.opts.model_name}_changelist")]

    @method_decorator(require_safe)
    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = ReportForm(request.GET)
        wanted = request.GET.get("format", "")
        if not wanted:
            return self._page(request, form, extra_context)
        table = request.GET.get("table", "")
        if wanted not in ("csv", "json") or table not in tables.TABLE_NAMES:
            allowed = ", ".join(tables.TABLE_NAMES)
            return HttpResponseBadRequest(f"format: csv or json; table: {allowed}.\n", content_type="text/plain")
        if not form.is_valid():
            page = self._page(request, form, extra_context)
            page.status_code = 400
            return page
        return _file(form.scope(), table, wanted)

    def _page(self, request: HttpRequest, form: ReportForm, extra_context: Any) -> HttpResponse:
        shown = {}
        if form.is_valid():
            scope = form.scope()
            report = count(scope)
            user: Any = request.user
            may_see_ledger = user.has_perm("schedules.view_scheduledmessage")
            shown = {
                **_numbers(report),
                "reasons": list(_reasons(report, form.known_messages if may_see_ledger else None)),
                "query": _query(form),
                "file_formats": ("csv", "json"),
                **(_comparison(scope) if "compare" in request.GET else {}),
            }
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Reports"),
            "form": form,
            "known_courses": recent_courses(),
            **shown,
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/schedules/report/page.html", context)


# Files --------------------------------------------------------------------------------------------


def _file(scope: ReportScope, table: str, wanted: str) -> HttpResponse:
    """One table to be saved, computed from what the page shows."""
    if table == "comparison":
        compared = _compared(scope)
        if compared is None:
            return HttpResponse(f"{_no_answer()}\n", status=503, content_type="text/plain; charset=utf-8")
        rows = tables.comparison_table(compared)
        document = {**tables.scope_document(scope), "comparison": tables.comparison_document(compared)}
    else:
        report = count(scope)
        rows, document = tables.tables(report)[table], tables.document(report, [table])
    text = tables.to_csv(rows) if wanted == "csv" else tables.to_json(document)
    content_type = "text/csv; charset=utf-8; header=present" if wanted == "csv" else "application/json"
    name = f"{table}-{scope.first_day}-{scope.last_day}.{wanted}"
    return HttpResponse(
        text, content_type=content_type, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


# The page -----------------------------------------------------------------------------------------


def _query(form: ReportForm) -> str:
    """The report's address without what is done with it."""
    scope = form.scope()
    query = {"site": str(scope.site.pk), "first_day": str(scope.first_day), "last_day": str(scope.last_day)}
    return urlencode({**query, "message": scope.message_name, "course": scope.course_id})


def _numbers(report: MessageReport) -> dict[str, Any]:
    total = report.total
    figures: list[dict[str, Any]] = [{"label": _("Learners reached"), "number": number(report.learners_reached)}]
    for name in COUNT_NAMES:
        share = of_sent(total, name) if name in _SHARES else ""
        figures.append({"label": LABELS[name], "number": number(total.number(name)), "share": share})
    return {
        "report": report,
        "figures": figures,
        "columns": [LABELS[name] for name in COUNT_NAMES],
        "message_rows": [(row.message, _cells(row.counts)) for row in report.messages],
        "day_rows": [(row.day, _cells(row.counts)) for row in report.days],
        "total_row": _cells(total),
        "funnel": charts.funnel(report),
        "daily": charts.daily(report),
        "daily_title": charts.daily_title(report),
        "lines": [(name, LABELS[name]) for name in charts.LINES],
    }


def _cells(counts: Totals) -> list[str]:
    return [number(counts.number(name)) for name in COUNT_NAMES]


def _reasons(report: MessageReport, types: Mapping[str, str] | None) -> Iterator[tuple[Any, list[dict[str, Any]]]]:
    """(caption, rows) of skipped and of failed ones, each linked to the ledger; without `types` there are no links."""
    captions = {"skipped": _("Skipped, by reason"), "failed": _("Failed, by reason")}
    for outcome, caption in captions.items():
        yield (
            caption,
            [
                {
                    "reason": count.reason or _("no reason recorded"),
                    "summary": summary(count.reason) if count.reason else "",
                    "count": number(count.count),
                    "url": _in_ledger(report.scope, count, types) if types is not None and count.reason else "",
                }
                for count in report.reasons_for(outcome)
            ],
        )


def _in_ledger(scope: ReportScope, count: ReasonCount, types: Mapping[str, str]) -> str:
    """The ledger's list, as near to the report as its filters come: of every day, and of the whole message type."""
    query = {"site__id__exact": str(scope.site.pk), "status__exact": count.outcome, "reason": count.reason}
    if scope.message_name:
        query["type"] = types[scope.message_name]
    return f"{reverse('admin:schedules_scheduledmessage_changelist')}?{urlencode(query)}"


# The comparison -----------------------------------------------------------------------------------


def _compared(scope: ReportScope) -> Comparison | None:
    """Null where the LMS did not answer, whatever its way not to."""
    try:
        return comparison.compare(scope, timezone.now())
    except Exception as error:  # noqa: BLE001 - hosts are others' code, and the counts are shown all the same
        log.error("Learners of site %s could not be compared: %s", scope.site.pk, redacted_traceback(error))
        return None


def _comparison(scope: ReportScope) -> dict[str, Any]:
    compared = _compared(scope)
    if compared is None:
        return {"comparison_problem": _no_answer()}
    return {
        "comparison": compared,
        "interval_heading": interval_heading(),
        "scheduled_count": number(compared.scheduled_count),
        "held_back_count": number(compared.held_back_count),
        "effects": [
            {"label": effect.label, **effect.in_words(), "interpretation": effect.interpretation}
            for effect in compared.effects
        ],
    }


def _no_answer() -> str:
    return _("The LMS did not answer, so nothing can be compared. Try again later.")
