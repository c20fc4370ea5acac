"""Reports: what became of the messages, and whether they helped."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.contrib.sites.models import Site


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportScope:
    """What a report is about: a site's messages of some days, both ends included.

    A message's day is its run's “today”: the day on which it was to go out. `message_name` and `course_id` narrow it
    down; empty: all.
    """

    site: Site
    first_day: date
    last_day: date
    message_name: str = ""
    course_id: str = ""
