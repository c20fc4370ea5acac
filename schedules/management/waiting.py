"""Wait until runs are finished, and show how far they are."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import click
from django.db import Error
from kombu.exceptions import OperationalError as BrokerError

from schedules import api
from schedules.database.transient import is_transient, reconnect
from schedules.exceptions import TaskFailed
from schedules.values.runs import BINS

SECONDS_BETWEEN_LOOKS = 1.0

#: Looks between two calls of `recover`, which Celery beat may make as well.
LOOKS_BETWEEN_RECOVERIES = 5

#: Looks in a row that may fail because the database or the broker is away.
MAX_LOOKS_IN_VAIN = 120


def wait(reports: Sequence[api.RunReport], stdout: Any) -> None:
    """Look each second until every message is finalized. Shows a bar on a terminal, lines elsewhere, on `None` nothing.

    Workers go on while the database or the broker is away for a while, so this does as well.
    """
    bins, is_terminal = len(reports) * BINS, stdout is not None and stdout.isatty()
    with click.progressbar(length=bins, label="bins", file=stdout) if is_terminal else nullcontext() as bar:
        progress = _Progress(stdout, bar, bins)
        is_finished, looks, looks_in_vain = False, 0, 0
        troubles: Sequence[str] = ()
        while True:
            try:
                is_finished = api.is_finished(reports)
                looks += 1
                if not is_finished and looks % LOOKS_BETWEEN_RECOVERIES == 0:
                    api.recover()
                troubles = [line for report in reports[:1] for line in api.channel_troubles(report.run.site_id)]
                looks_in_vain = 0
            except (Error, BrokerError, TaskFailed) as error:  # the last is what recover says
                looks_in_vain += 1
                if looks_in_vain > MAX_LOOKS_IN_VAIN or (isinstance(error, Error) and not is_transient(error)):
                    raise
                reconnect()
            progress.show(reports, troubles)
            if is_finished:
                return
            time.sleep(SECONDS_BETWEEN_LOOKS)


class _Progress:
    """Shows on a bar or, where there is none, line by line what is new at each look."""

    def __init__(self, stdout: Any, bar: Any, bins: int) -> None:
        self._stdout, self._bar, self._bins = stdout, bar, bins
        self._shown = ""
        self._troubles: Sequence[str] = ()

    def show(self, reports: Sequence[api.RunReport], troubles: Sequence[str]) -> None:
        if self._stdout is None:
            return
        self._say_troubles(troubles)
        searched = sum(report.bins for report in reports)
        pending = sum(report.totals.pending for report in reports if report.totals)
        progress = f"{searched} of {self._bins} bins searched, {pending} messages pending"
        if self._bar is not None:
            self._bar.label = f"bins ({pending} messages pending)"
            self._bar.update(searched - self._bar.pos)
        elif progress != self._shown:
            self._stdout.write(progress)
            self._shown = progress

    def _say_troubles(self, troubles: Sequence[str]) -> None:
        """Each when it begins: who waits is to know for what."""
        for line in troubles:
            if line not in self._troubles:
                self._stdout.write(f"{'' if self._bar is None else chr(10)}PROBLEM: {line}")
        self._troubles = troubles
