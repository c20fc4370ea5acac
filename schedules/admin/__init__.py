"""The app's admin pages: what staff switch, the schedules, and what was sent."""

from schedules.admin import config, ledger, optout, own_words, report, schedule

__all__ = ["config", "ledger", "optout", "own_words", "report", "schedule"]
