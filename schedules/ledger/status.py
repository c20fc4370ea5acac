"""How a site's messages fare: what ran, what waits, what failed, and what somebody must look at.

Everything is read for many sites at once, so that a page about all of them costs no more than one about one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.contrib.sites.models import Site
from django.db.models import Count, Max, Q
from django.utils.translation import gettext

from schedules import toggles
from schedules.conf import conf
from schedules.ledger.rows import totals_by
from schedules.ledger.runs import kept_totals, why_stopped
from schedules.models import ChannelTrouble, ScheduledMessage, SendRun
from schedules.values.days import day_of
from schedules.values.outcomes import Totals

Status = ScheduledMessage.Status

#: A day, and two hours in which a daily run may be late or slow.
MAX_BETWEEN_RUNS = timedelta(hours=26)

#: A message that waits for its batch this long has been forgotten by the queue.
MAX_WAITING = timedelta(hours=1)

SHARE_SPAN, FAILED_SPAN = timedelta(hours=24), timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class LastRun:
    """The last finished run of a message type, all its day offsets together.

    `counts`: `found`, `already`, `sent`, `skipped` and `failed`; empty where a switch `stopped` it.
    """

    date: date
    finished_at: datetime
    stopped: str
    counts: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class TypeStatus(toggles.Switches):
    """A message type's switches, and its last run."""

    last_run: LastRun | None


@dataclass(frozen=True, kw_only=True)
class SiteStatus:
    """What `schedules_status` says, in counts and ids: no personal data.

    A message that is not finalized is counted once: as `retrying` (waits for its next try), as `stuck` (nobody will
    come for it in time) or as `pending`. `failed`: reason -> how many, of the last 7 days. `problems`: one line
    each, in the language that is active; empty when all is well.
    """

    site: str
    types: tuple[TypeStatus, ...]
    pending: int
    retrying: int
    stuck: int
    failed: Mapping[str, int]
    problems: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Primitives, dates and datetimes, in the order of the fields."""
        return asdict(self)


def site_status(site: Site, now: datetime, known: Collection[str] | None = None) -> SiteStatus:
    """How one site fares."""
    return site_statuses([site], now, known)[site.pk]


def site_statuses(
    sites: Collection[Site], now: datetime, known: Collection[str] | None = None
) -> dict[int, SiteStatus]:
    """Site's id -> how it fares, in as many queries for all as for one.

    `known`: the message types there are, for a switch may outlive its type; `None`: whatever has switches.
    """
    ids = [site.pk for site in sites]
    types, ran = _types(ids, known), _ran_lately(ids, now)
    unfinished, failed, tried = _unfinished(ids, now), _failed(ids, now), _tried(ids, now)
    troubles = channel_troubles(ids)
    return {
        site.pk: SiteStatus(
            site=site.domain,
            types=types[site.pk],
            **unfinished[site.pk],
            failed=failed[site.pk],
            problems=(
                *(troubles[site.pk] if any(row.is_delivering for row in types[site.pk]) else ()),
                *_silences(types[site.pk], {message_type for site_id, message_type in ran if site_id == site.pk}, now),
                *_stuck(unfinished[site.pk]["stuck"]),
                *_too_many_failed(tried[site.pk]),
            ),
        )
        for site in sites
    }


# Problems -----------------------------------------------------------------------------------------


def channel_troubles(site_ids: Collection[int]) -> dict[int, list[str]]:
    """Site's id -> a line for all that keeps its messages from leaving by the channel of the settings."""
    # Translators: since is a date and time in UTC; answer are the words of a mail server, or of a program.
    texts = {
        True: gettext("The channel %(channel)s takes no messages, since %(since)s: %(answer)s"),
        False: gettext("The channel %(channel)s takes no messages of this site's sender, since %(since)s: %(answer)s"),
    }
    remedy = gettext("They are waiting. Fix the cause and send a test, which is tried at once.")
    rows = ChannelTrouble.objects.filter(channel=conf.default_channel, site_id__in=(0, *site_ids)).order_by("site_id")
    found: dict[int, list[str]] = {site_id: [] for site_id in site_ids}
    for row in rows:
        since = row.since.astimezone(UTC).strftime("%Y-%m-%d %H:%M")
        values = {"channel": row.channel, "since": f"{since} UTC", "answer": row.answer or row.reason}
        text = texts[row.site_id == 0] % values
        for site_id in site_ids if row.site_id == 0 else (row.site_id,):
            found[site_id].append(f"{text.rstrip('.')}. {remedy}")
    return found


def _silences(types: Iterable[TypeStatus], ran: Collection[str], now: datetime) -> list[str]:
    """A line for each message type that is due every day and was not heard of."""
    hours = MAX_BETWEEN_RUNS // timedelta(hours=1)
    # Translators: command is to be typed as it stands, message_type is a name that logs have too.
    text = gettext(
        "No %(message_type)s run for its own day has finished in the last %(hours)d hours. "
        "Run %(command)s, and find out why it was not run."
    )
    return [
        text % {"message_type": row.message_type, "command": f"send_messages --type {row.message_type}", "hours": hours}
        for row in types
        if row.enqueuing_since is not None
        and row.enqueuing_since < now - MAX_BETWEEN_RUNS
        and row.message_type not in ran
    ]


def _stuck(count: int) -> list[str]:
    if not count:
        return []
    # Translators: task is the name of a Celery task.
    text = gettext("Stuck messages: %(count)d. Make sure that workers and the task %(task)s are running.")
    return [text % {"count": count, "task": "schedules.tasks.recover"}]


def _too_many_failed(totals: Totals) -> list[str]:
    failed, tried = totals.failed.total(), totals.messages
    if not failed or failed <= conf.failed_share * tried:
        return []
    hours = SHARE_SPAN // timedelta(hours=1)
    allowed = f"{conf.failed_share:.1%}".replace(".0%", "%")
    # Translators: allowed is a share, such as 5%.
    text = gettext(
        "Failed: %(failed)d of the %(tried)d messages tried in the last %(hours)d hours; %(allowed)s are allowed."
    )
    return [text % {"failed": failed, "tried": tried, "hours": hours, "allowed": allowed}]


# Facts --------------------------------------------------------------------------------------------


def _types(ids: Collection[int], known: Collection[str] | None) -> dict[int, tuple[TypeStatus, ...]]:
    """Site's id -> its message types, in the order of the switches."""
    switches, last = toggles.switches(ids), _last_runs(ids)
    return {
        site_id: tuple(
            TypeStatus(**asdict(row), last_run=last.get((site_id, row.message_type)))
            for row in switches[site_id]
            if known is None or row.message_type in known
        )
        for site_id in ids
    }


def _last_runs(ids: Collection[int]) -> dict[tuple[int, str], LastRun]:
    """(site's id, message type) -> the latest day of those that were begun last and are finished."""
    finished = SendRun.objects.filter(site__in=ids, finished_at__isnull=False).order_by()
    latest = finished.values_list("site", "message_type").annotate(latest=Max("started_at"))
    wanted = Q(pk=None)
    for site_id, message_type, started_at in latest:
        wanted |= Q(site=site_id, message_type=message_type, started_at=started_at)
    groups: defaultdict[tuple[int, str], list[SendRun]] = defaultdict(list)
    for run in finished.filter(wanted):
        groups[run.site_id, run.message_type].append(run)
    return {key: _together(runs) for key, runs in groups.items()}


def _together(runs: Collection[SendRun]) -> LastRun:
    """The day offsets of the latest day among `runs`."""
    day = max(run.date for run in runs)
    of_day = [run for run in runs if run.date == day]
    stopped = next(filter(None, map(why_stopped, of_day)), "")
    totals = sum(map(kept_totals, of_day), Totals())
    counts = {name: totals.number(name) for name in ("found", "already", "sent", "skipped", "failed")}
    finished_at = max(run.finished_at for run in of_day if run.finished_at is not None)
    return LastRun(date=day, finished_at=finished_at, stopped=stopped, counts={} if stopped else counts)


def _ran_lately(ids: Collection[int], now: datetime) -> set[tuple[int, str]]:
    """(site's id, message type) of the runs for their own day that finished lately (behavior 6.7)."""
    runs = SendRun.objects.filter(site__in=ids, finished_at__gte=now - MAX_BETWEEN_RUNS).order_by()
    rows = runs.values_list("site", "message_type", "date", "started_at")
    return {
        (site_id, message_type)
        for site_id, message_type, day, started in rows
        if day_of(started, conf.time_zone) == day
    }


def _unfinished(ids: Collection[int], now: datetime) -> dict[int, dict[str, int]]:
    """Site's id -> `pending`, `retrying`, `stuck`. A message taken up again counts from the run that took it."""
    before = now - MAX_WAITING
    is_retrying = Q(status=Status.CLAIMED, due_at__gt=now)
    is_stuck = (
        Q(status=Status.DELIVERING, leased_until__lt=now)
        | Q(status=Status.CLAIMED, due_at__lt=before)
        | Q(status=Status.CLAIMED, due_at=None, created__lt=before, run__started_at__lt=before)
    )
    rows = ScheduledMessage.objects.filter(site__in=ids, status__in=(Status.CLAIMED, Status.DELIVERING)).order_by()
    counted = rows.values("site").annotate(
        all=Count("pk"), retrying=Count("pk", filter=is_retrying), stuck=Count("pk", filter=is_stuck)
    )
    found = {site_id: {"pending": 0, "retrying": 0, "stuck": 0} for site_id in ids}
    for row in counted:
        waiting = {"retrying": row["retrying"], "stuck": row["stuck"]}
        found[row["site"]] = {"pending": row["all"] - sum(waiting.values()), **waiting}
    return found


def _failed(ids: Collection[int], now: datetime) -> dict[int, dict[str, int]]:
    """Site's id -> reason -> how many."""
    rows = ScheduledMessage.objects.filter(site__in=ids, status=Status.FAILED, created__gte=now - FAILED_SPAN)
    found = totals_by(rows, "site")
    return {site_id: dict(sorted(found[site_id,].failed.items())) for site_id in ids}


def _tried(ids: Collection[int], now: datetime) -> dict[int, Totals]:
    """Site's id -> what was sent and what failed; what was skipped was not tried."""
    tried, since = (Status.SENT, Status.FAILED), now - SHARE_SPAN
    found = totals_by(ScheduledMessage.objects.filter(site__in=ids, status__in=tried, created__gte=since), "site")
    return {site_id: found[site_id,] for site_id in ids}
