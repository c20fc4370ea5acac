"""What all commands share: how they begin, and how they refuse."""

from __future__ import annotations

from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from schedules import ledger
from schedules.database.transient import in_words, is_transient
from schedules.exceptions import ConfigurationError, HostError, TaskFailed


class SchedulesCommand(BaseCommand):
    """Waits for the database as workers do. What cannot be done ends it in one line, exit status 1.

    That is: an argument, settings, a site or an LMS that cannot be used, and a database that stays away.
    """

    def execute(self, *arguments: Any, **options: Any) -> str | None:
        try:
            ledger.await_database()
            return super().execute(*arguments, **options)
        except (ArgumentTypeError, ConfigurationError, HostError) as error:
            raise CommandError(str(error)) from error
        except (Error, TaskFailed) as error:
            if not is_transient(error):
                raise
            again = "See that it runs and takes writes, and run the command again: what was sent is not sent twice."
            raise CommandError(f"{in_words(error)} {again}") from error
