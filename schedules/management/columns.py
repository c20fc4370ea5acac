"""Tables on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from schedules.values.outcomes import Totals


def in_columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows as lines, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def by_reason(counts: Mapping[str, int]) -> str:
    """A count, and in brackets what it is made of."""
    text = ", ".join(f"{reason} {count}" for reason, count in sorted(counts.items()) if count)
    return f"{sum(counts.values())} ({text})" if text else "0"


def totals_table(counted: Iterable[tuple[str, Totals]], day_offsets: Sequence[int] = ()) -> list[str]:
    """A line for each message name under a heading, in columns; of pending messages only where there are any."""
    rows = list(counted)
    has_pending = any(totals.pending for _, totals in rows)
    columns = ("found", "already sent", "sent", "skipped", "failed", *(("pending",) if has_pending else ()))
    lines = [("message", *(("day",) if day_offsets else ()), *columns)]
    for number, (name, totals) in enumerate(rows):
        day = (f"{day_offsets[number]:+d}",) if day_offsets else ()
        numbers = (str(totals.found), str(totals.already), str(totals.sent))
        reasons = (by_reason(totals.skipped), by_reason(totals.failed))
        lines.append((name, *day, *numbers, *reasons, *((str(totals.pending),) if has_pending else ())))
    return in_columns(lines)
