"""manage.py recover_messages."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from schedules import api
from schedules.management.arguments import refusals


class Command(BaseCommand):
    help = "Hand out again what nobody answers for: due retries, dead workers' messages, what the broker lost."

    @refusals()
    def handle(self, **options: Any) -> None:
        api.recover()
