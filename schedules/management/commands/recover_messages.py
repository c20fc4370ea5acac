"""manage.py recover_messages."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from schedules import api
from schedules.exceptions import ConfigurationError


class Command(BaseCommand):
    help = "Hand out again what nobody answers for: due retries, dead workers' messages, what the broker lost."

    def handle(self, **options: Any) -> None:
        try:
            api.recover()
        except ConfigurationError as error:
            raise CommandError(str(error)) from error
