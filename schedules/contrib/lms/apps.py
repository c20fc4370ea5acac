"""How Django finds the embedded LMS."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LmsConfig(AppConfig):
    """The embedded LMS."""

    name = "schedules.contrib.lms"
    label = "schedules_lms"
    verbose_name = _("Learning")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from schedules.contrib.lms import receivers  # noqa: F401, PLC0415 - importing them connects them
