"""manage.py send_course_update SITE_DOMAIN."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from typing import Any

from schedules.management import arguments
from schedules.management.send_command import SendCommand
from schedules.message_types.course_update import CourseUpdate
from schedules.values.rules import MAX_WEEKS


class Command(SendCommand):
    help = "Send the week's highlights to learners of courses that have them."
    message_type = "course_update"

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        weeks = arguments.whole_number(1, MAX_WEEKS)
        parser.add_argument("--weeks", type=weeks, help="the last week to send; default: COURSE_UPDATE_WEEKS")

    def day_offsets(self, options: Mapping[str, Any]) -> Sequence[int] | None:
        return None if options["weeks"] is None else CourseUpdate.day_offsets_of(options["weeks"])
