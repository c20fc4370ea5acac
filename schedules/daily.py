"""The daily run without cron: what a command does, as a task that Celery beat can call."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from celery import shared_task
from django.db import Error
from django.utils import timezone

from schedules import api, ledger
from schedules.conf import conf
from schedules.database.transient import in_words, is_transient
from schedules.exceptions import ConfigurationError, HostError, TaskFailed, redacted
from schedules.ledger.catch_up import days_to_run
from schedules.values.days import day_of
from schedules.values.text import without_addresses

log = logging.getLogger(__name__)


@shared_task(name="schedules.tasks.run_day", ignore_result=True)
@redacted
def run_day(message_type: str, site_domain: str) -> None:
    """Do today for a site and message type, and before it the days that were missed. Logs what a command prints."""
    _run(site_domain, [message_type])


@shared_task(name="schedules.tasks.run_daily", ignore_result=True)
@redacted
def run_daily(site_domain: str) -> None:
    """`run_day()` for all message types that are switched on, in the order of the settings."""
    _run(site_domain, None)


def _run(site_domain: str, message_types: Sequence[str] | None) -> None:
    now = timezone.now()
    subject = "The day"
    try:
        conf.validate()
        ledger.await_database()
        site = api.find_site(site_domain)
        for message_type in api.message_types_to_run(site) if message_types is None else message_types:
            subject = message_type
            for day in days_to_run(site.pk, message_type, day_of(now, conf.time_zone)):
                for report in api.enqueue_day(message_type, site, day, now=now):
                    _log(report, site.domain)
    except (ConfigurationError, HostError) as error:
        log.error("%s for %s was refused: %s", subject, site_domain, without_addresses(str(error)))
    except (Error, TaskFailed) as error:
        if not is_transient(error):
            raise
        log.error("%s for %s has stopped: %s The next run catches up.", subject, site_domain, in_words(error))


def _log(report: api.RunReport, domain: str) -> None:
    run = report.run
    subject = f"{report.name} for {domain} on {run.today}, run {run.uuid}"
    if report.stopped:
        log.warning("%s: nothing was queued, %s", subject, report.stopped)
    elif report.failed_bins:
        log.error("%s: %s bins failed; the log says where", subject, len(report.failed_bins))
    elif report.totals is None:
        log.info("%s: queued", subject)
    else:
        log.info("%s: %s", subject, report.totals.as_dict())
