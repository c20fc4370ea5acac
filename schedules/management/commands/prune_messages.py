"""manage.py prune_messages --older-than DAYS."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.utils import timezone

from schedules.ledger.retention import MIN_DAYS, prune_messages, prune_runs
from schedules.management import arguments
from schedules.management.base import SchedulesCommand

#: About as long as calendars go back.
_MAX_DAYS = 36_500


class Command(SchedulesCommand):
    help = "Delete finalized messages, and runs without messages, that are older than some days."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--older-than",
            type=arguments.whole_number(MIN_DAYS, _MAX_DAYS),
            required=True,
            metavar="DAYS",
            help=f"how many days to keep, at least {MIN_DAYS}: a row is the proof that a message was sent, and without "
            "it a day that is run again sends twice",
        )

    def handle(self, **options: Any) -> None:
        before = timezone.now() - timedelta(days=options["older_than"])
        messages = self._prune("messages", prune_messages(before), options["verbosity"])
        runs = self._prune("runs", prune_runs(before), options["verbosity"])
        if options["verbosity"] > 0:
            self.stdout.write(f"Deleted {messages} messages and {runs} runs from before {before.date()}.")
            self.stdout.write(f"Do not run days before {before.date()} again: what was sent then would be sent twice.")

    def _prune(self, what: str, batches: Iterator[int], verbosity: int) -> int:
        total = 0
        for count in batches:
            total += count
            if verbosity > 1:
                self.stdout.write(f"{total} {what} so far")
        return total
