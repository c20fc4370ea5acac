"""How Django finds the app."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SchedulesConfig(AppConfig):
    """Connects the host's signals, the system checks and the periodic task."""

    name = "schedules"
    label = "schedules"
    verbose_name = _("Schedules")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from schedules import checks, daily, receivers  # noqa: F401, PLC0415 - importing them connects them
