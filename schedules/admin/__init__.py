"""The app's admin pages: what staff switch, the schedules, and what was sent."""

from schedules.admin import config, custom_text, ledger, optout, report, schedule

__all__ = ["config", "custom_text", "ledger", "optout", "report", "schedule"]
