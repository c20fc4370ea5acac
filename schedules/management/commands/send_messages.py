"""manage.py send_messages SITE_DOMAIN --type KEY."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.sites.models import Site

from schedules.management.send_command import DailyCommand
from schedules.message_types import resolver_for


class Command(DailyCommand):
    help = "Send the messages of one type, whichever it is."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--type", required=True, metavar="KEY", help="the message type, such as recurring_nudge")

    def message_types(self, site: Site, options: Mapping[str, Any]) -> Sequence[str]:
        return [resolver_for(options["type"]).key]
