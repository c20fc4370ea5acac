"""What the daily commands share: their arguments, what they refuse and what they print."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, ClassVar

from django.contrib.sites.models import Site
from django.core.management.base import CommandError
from django.utils import timezone

from schedules import api
from schedules.conf import conf
from schedules.exceptions import ConfigurationError, HostError
from schedules.ledger.catch_up import days_to_run
from schedules.ledger.retention import MIN_DAYS
from schedules.management import arguments, waiting
from schedules.management.base import SchedulesCommand
from schedules.management.columns import totals_table
from schedules.values.days import day_of
from schedules.values.outcomes import Totals
from schedules.values.runs import RunOrigin

# What --since may ask for at a stroke; --date goes further, one day at a time.
MAX_DAYS_SINCE = MIN_DAYS  # whoever was written to since then is still in the ledger


class DailyCommand(SchedulesCommand):
    """Runs message types for sites and days, and says what it did."""

    requires_system_checks = []  # one clear line each, from `conf.validate()`, in place of a page of checks
    #: What was done, in the order in which it was.
    reports: list[api.RunReport]

    def add_arguments(self, parser: ArgumentParser) -> None:
        self.add_site(parser)
        days = parser.add_mutually_exclusive_group()
        days.add_argument("--date", type=arguments.day, help="the day to run for, as YYYY-MM-DD; default: today")
        days.add_argument(
            "--since", type=arguments.day, metavar="DATE", help="run for every day from this one to today"
        )
        days.add_argument("--no-catch-up", action="store_true", help="run for today alone, whatever was missed")
        parser.add_argument(
            "--override-recipient-email",
            type=arguments.address,
            metavar="ADDRESS",
            help="send every message to this address and nowhere else, and leave the ledger alone",
        )
        parser.add_argument(
            "--wait",
            action="store_true",
            help="stay until every message is finalized, retries included, and show how far it is",
        )

    def add_site(self, parser: ArgumentParser) -> None:
        parser.add_argument("site_domain", help=arguments.SITE_HELP)

    def sites(self, options: Mapping[str, Any]) -> Sequence[Site]:
        """The sites that the options ask for."""
        return [api.find_site(options["site_domain"])]

    def message_types(self, site: Site, options: Mapping[str, Any]) -> Sequence[str]:
        """The message types that the options ask for, in the order in which they are run."""
        raise NotImplementedError

    def day_offsets(self, options: Mapping[str, Any]) -> Sequence[int] | None:
        """The offsets that the options ask for; `None`: those of the settings."""
        return None

    def handle(self, **options: Any) -> None:
        self.reports, self.verbosity = [], options["verbosity"]
        conf.validate()
        options |= {name: arguments.day(options[name]) for name in ("date", "since") if options[name] is not None}
        sites = self.sites(options)
        message_types = [(site, key) for site in sites for key in self.message_types(site, options)]
        refusals: list[str] = []
        failed_bins = 0
        for site, message_type in message_types:  # one that is refused does not keep the others from being run
            try:
                failed_bins += self._run(site, message_type, options)
            except (ConfigurationError, HostError) as error:
                refusals += [str(error)] if str(error) not in refusals else []
        self.summarize()
        if failed_bins:
            refusals.append(
                f"{failed_bins} bins failed; the log says where. Mend the cause and run the command again for "
                "that date: what was sent is not sent twice. Where the cause mends itself, recover_messages finishes "
                "the run."
            )
        if refusals:
            raise CommandError("\n".join(refusals))

    def summarize(self) -> None:
        """Say what became of it all, where there is more to say than each run says."""

    def _run(self, site: Site, message_type: str, options: Mapping[str, Any]) -> int:
        """One message type on one site, for each of its days. Returns how many bins failed."""
        address, now = options["override_recipient_email"], timezone.now()
        more: dict[str, Any] = {
            "now": now,
            "origin": _origin(options),
            "day_offsets": self.day_offsets(options),
            "show_message": self.stdout.write if self.verbosity > 1 else None,
        }
        failed_bins = 0
        for day in self._days(site, message_type, options, now):
            if address is None:
                reports = api.enqueue_day(message_type, site, day, **more)
            else:
                reports = api.send_tests(message_type, site, day, address, **more)
            self.say(f"{message_type} for {site.domain} on {day}")
            if address is not None:
                self.say(f"A test: every message goes to {address}; the ledger is neither read nor written.")
            elif options["wait"] and not any(report.stopped for report in reports):
                waiting.wait(reports, self.stdout if self.verbosity > 0 else None)
            self._report(reports, site, message_type)
            self.reports += reports
            failed_bins += sum(len(report.failed_bins) for report in reports)
        return failed_bins

    def _days(self, site: Site, message_type: str, options: Mapping[str, Any], now: datetime) -> list[date]:
        """The days that the options ask for, oldest first; by default today, after those that were missed."""
        today = day_of(now, conf.time_zone)
        if options["since"] is not None:
            return _days_since(options["since"], today)
        if options["date"] is not None:
            return [options["date"]]
        if options["no_catch_up"] or options["override_recipient_email"] is not None:
            return [today]
        return days_to_run(site.pk, message_type, today)

    def say(self, text: str) -> None:
        if self.verbosity > 0:
            self.stdout.write(text)

    def _report(self, reports: Sequence[api.RunReport], site: Site, message_type: str) -> None:
        if any(report.stopped for report in reports):
            self.say(
                f"Nothing was queued: enqueue_{message_type} is off for {site.domain}. "
                "Switch it on in the admin under Schedule configurations."
            )
            return
        if any(report.totals is None for report in reports):
            self.say(f"Queued {len(reports)} runs of 24 bins; the admin shows them under Runs.")
            return
        counted = [(report.name, report.totals or Totals()) for report in reports]
        for line in totals_table(counted, [report.run.day_offset for report in reports]):
            self.say(line)
        if any(report.totals and report.totals.pending for report in reports):
            self.say("What is pending is tried again by recover_messages, or at once with --wait.")
        for line in api.channel_troubles(site.pk):
            self.say(f"PROBLEM: {line}")


class SendCommand(DailyCommand):
    """Runs one message type, which the subclass names."""

    message_type: ClassVar[str]

    def message_types(self, site: Site, options: Mapping[str, Any]) -> Sequence[str]:
        return [self.message_type]


def _origin(options: Mapping[str, Any]) -> RunOrigin:
    if options["since"] is not None:
        return RunOrigin.SINCE
    return RunOrigin.DAILY if options["date"] is None else RunOrigin.DATE


def _days_since(first: date, today: date) -> list[date]:
    """Every day from `first` to today. Raises `CommandError` where they are none, or too many."""
    if first > today:
        raise CommandError(f"--since is {first}, which is later than today, {today}; give a day that is not.")
    earliest = today - timedelta(days=MAX_DAYS_SINCE)
    if first < earliest:
        raise CommandError(
            f"--since is {first}, more than {MAX_DAYS_SINCE} days ago; give {earliest} or later, "
            "or single days as --date."
        )
    return [first + timedelta(days=number) for number in range((today - first).days + 1)]
