"""A report as tables, JSON and CSV: page, command and files say the same numbers, for they come from here."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from schedules.reporting import ReportScope
from schedules.reporting.comparison import Comparison, Effect, Share
from schedules.reporting.counts import COUNT_NAMES, MessageReport
from schedules.values.outcomes import Totals

#: What spreadsheets take for the beginning of a formula (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """Rows of primitives and dates, each as long as `columns`. Null: there is no such number."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def as_dicts(self) -> list[dict[str, Any]]:
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


TABLE_NAMES = ("messages", "days", "reasons", "comparison")


def tables(report: MessageReport) -> dict[str, Table]:
    """The tables of the counts, by name: `messages`, `days` and `reasons`."""
    return {
        "messages": Table(
            columns=("message", *COUNT_NAMES),
            rows=tuple((row.message, *_numbers(row.counts)) for row in report.messages),
        ),
        "days": Table(
            columns=("day", *COUNT_NAMES),
            rows=tuple((row.day, *_numbers(row.counts)) for row in report.days),
        ),
        "reasons": Table(
            columns=("outcome", "reason", "count"),
            rows=tuple((row.outcome, row.reason, row.count) for row in report.reasons),
        ),
    }


def comparison_table(found: Comparison) -> Table:
    """One row per effect."""
    parts = (f"{group}_{part}" for group in ("scheduled", "held_back") for part in ("count", "of", "rate"))
    ends = ("difference", "low", "high", "interpretation")
    return Table(
        columns=("effect", *parts, *ends),
        rows=tuple(
            (
                effect.key,
                *_share(effect.scheduled),
                *_share(effect.held_back),
                *(getattr(effect, name) for name in ends),
            )
            for effect in found.effects
        ),
    )


# JSON ---------------------------------------------------------------------------------------------


def scope_document(scope: ReportScope) -> dict[str, Any]:
    """What a report is about: the first keys of every document."""
    return {
        "site": scope.site.domain,
        "first_day": scope.first_day,
        "last_day": scope.last_day,
        "message": scope.message_name,
        "course": scope.course_id,
    }


def document(report: MessageReport, names: Sequence[str] = TABLE_NAMES) -> dict[str, Any]:
    """The tables of these names, `messages` with the totals."""
    found = tables(report)
    total = dict(zip(COUNT_NAMES, _numbers(report.total), strict=True))
    totals = {"learners_reached": report.learners_reached, "total": total}
    return {
        **scope_document(report.scope),
        **(totals if "messages" in names else {}),
        **{name: table.as_dicts() for name, table in found.items() if name in names},
    }


def comparison_document(found: Comparison) -> dict[str, Any]:
    """The entry `comparison` of a document."""
    return {
        "scheduled_count": found.scheduled_count,
        "held_back_count": found.held_back_count,
        "effects": [_effect(effect) for effect in found.effects],
        "notes": [str(note) for note in found.notes],
    }


def to_json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, cls=DjangoJSONEncoder, indent=2)


def _effect(effect: Effect) -> dict[str, Any]:
    shares = {"scheduled": effect.scheduled, "held_back": effect.held_back}
    return {
        "effect": effect.key,
        "label": str(effect.label),
        **{name: dict(zip(("count", "of", "rate"), _share(share), strict=True)) for name, share in shares.items()},
        "difference": effect.difference,
        "low": effect.low,
        "high": effect.high,
        "interpretation": effect.interpretation,
    }


# CSV ----------------------------------------------------------------------------------------------


def to_csv(table: Table) -> str:
    """By RFC 4180, the columns' names first. A text that a spreadsheet would take for a formula gets a ' before it."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(table.columns)
    writer.writerows([_cell(value) for value in row] for row in table.rows)
    return out.getvalue()


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _numbers(counts: Totals) -> tuple[int, ...]:
    return tuple(counts.number(name) for name in COUNT_NAMES)


def _share(share: Share) -> tuple[int, int, float | None]:
    return share.count, share.of, share.rate
