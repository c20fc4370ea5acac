"""manage.py send_daily SITE_DOMAIN | --all-sites."""

from __future__ import annotations

from argparse import ArgumentParser
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.sites.models import Site

from schedules import api
from schedules.management import arguments
from schedules.management.columns import totals_table
from schedules.management.send_command import DailyCommand
from schedules.values.outcomes import Totals


class Command(DailyCommand):
    help = "Send the messages of all types that are switched on, in the order of SCHEDULES['MESSAGE_TYPES']."

    def add_site(self, parser: ArgumentParser) -> None:
        sites = parser.add_mutually_exclusive_group(required=True)
        sites.add_argument("site_domain", nargs="?", help=arguments.SITE_HELP)
        sites.add_argument("--all-sites", action="store_true", help="do it for every site, one after the other")

    def sites(self, options: Mapping[str, Any]) -> Sequence[Site]:
        return list(Site.objects.order_by("pk")) if options["all_sites"] else super().sites(options)

    def message_types(self, site: Site, options: Mapping[str, Any]) -> Sequence[str]:
        keys = api.message_types_to_run(site)
        if not keys:
            self.say(
                f"Nothing was queued: no message type is on for {site.domain}. "
                "Switch one on in the admin under Schedule configurations."
            )
        return keys

    def summarize(self) -> None:
        """All messages together by their names, once everything is finalized."""
        by_name: defaultdict[str, Totals] = defaultdict(Totals)
        for report in self.reports:
            if report.totals is not None:
                by_name[report.name] += report.totals
        if len(by_name) < 2:
            return
        self.say("\nAll messages")
        for line in totals_table(by_name.items()):
            self.say(line)
        if already := sum(totals.already for totals in by_name.values()):
            self.say(f"Nothing was sent twice: {already} messages had been sent before.")
