"""manage.py recover_messages."""

from __future__ import annotations

from typing import Any

from schedules import api
from schedules.management.base import SchedulesCommand


class Command(SchedulesCommand):
    help = "Hand out again what nobody answers for: due retries, dead workers' messages, what the broker lost."

    def handle(self, **options: Any) -> None:
        api.recover()
