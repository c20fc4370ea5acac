"""Every Django setting that the app reads, each as one typed property.

Values are read afresh at each access, so `override_settings` works. Our own keys live in the dict
`SCHEDULES`; the others are settings that an LMS has anyway, read under their own names.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytz
from django.conf import settings
from django.utils.crypto import salted_hmac
from pytz.tzinfo import BaseTzInfo

from schedules.exceptions import ConfigurationError

#: Each key of `SCHEDULES` with its default; the properties of `Conf` say what it means.
DEFAULTS: Mapping[str, Any] = {
    "HOST": "schedules.contrib.lms.host.LmsHost",
    "MESSAGE_TYPES": (
        "schedules.message_types.recurring_nudge.RecurringNudge",
        "schedules.message_types.upgrade_reminder.UpgradeReminder",
        "schedules.message_types.course_update.CourseUpdate",
    ),
    "GATES": (),
    "TIME_ZONE": "UTC",
    "URL_SCHEME": "https",
    "RECURRING_NUDGE_DAYS": (3, 10),
    "UPGRADE_REMINDER_DAYS": 2,
    "COURSE_UPDATE_WEEKS": 11,
    "HOLD_BACK_SALT": "",
    "RESOLVE_BATCH_SIZE": 500,
    "DELIVERY_BATCH_SIZE": 100,
    "LEASE_SECONDS": 900,
    "RETRY_SECONDS": 60,
    "RETRY_ATTEMPTS": 12,
    "MESSAGE_TTL_DAYS": {},
    "FILE_EMAIL_DIRECTORY": "ace_messages",
    "SMTP_MESSAGES_PER_CONNECTION": 100,
    "SMTP_TIMEOUT_SECONDS": 30,
    "MESSAGES_PER_SECOND": {},
    "CATCH_UP_DAYS": 3,
    "FAILED_SHARE": 0.05,
    "SEGMENT_URL": "https://api.segment.io",
    "TRACK_CLICKS": True,
    "TRACK_OPENS": False,
    "GOOGLE_ANALYTICS_URL": "https://www.google-analytics.com",
}

#: A day that is further from today may lie outside of the calendar.
MAX_DAYS = 10_000

#: The last week of a course that may be sent.
MAX_WEEKS = 520


class Conf:
    """The settings, by name. A value that cannot be used raises `ConfigurationError`."""

    # Ours -----------------------------------------------------------------------------------------

    @property
    def host(self) -> str:
        """Dotted path of the `schedules.host.Host` subclass that speaks for the LMS."""
        path: str = self._own("HOST", str, lambda path: "." in path, "a dotted path to a class")
        return path

    @property
    def message_types(self) -> tuple[str, ...]:
        """Dotted paths of the message types (subclasses of `schedules.messages.Resolver`), in the order of a day."""
        return self._paths("MESSAGE_TYPES")

    @property
    def gates(self) -> tuple[str, ...]:
        """Dotted paths of the host's own gates (subclasses of `schedules.messages.Gate`), after the app's."""
        return self._paths("GATES")

    @property
    def time_zone(self) -> BaseTzInfo:
        """The zone (a pytz name) in which a day runs from midnight to midnight. Default UTC."""
        zones = pytz.all_timezones_set
        return pytz.timezone(self._own("TIME_ZONE", str, lambda name: name in zones, "a name in pytz.all_timezones"))

    @property
    def url_scheme(self) -> str:
        """How links to a site's pages begin: `https`, or `http` on a machine of one's own."""
        scheme: str = self._own("URL_SCHEME", str, lambda one: one in ("https", "http"), "'https' or 'http'")
        return scheme

    @property
    def recurring_nudge_days(self) -> tuple[int, ...]:
        """Days after the start on which the nudge is due; each needs templates of its own."""
        days: Sequence[int] = self._own(
            "RECURRING_NUDGE_DAYS",
            (list, tuple),
            _are_days,
            f"a list of different whole numbers from 1 to {MAX_DAYS}",
        )
        return tuple(days)

    @property
    def upgrade_reminder_days(self) -> int:
        """Days before the upgrade deadline on which the reminder is due."""
        return self._count("UPGRADE_REMINDER_DAYS", most=MAX_DAYS)

    @property
    def course_update_weeks(self) -> int:
        """The last week, counted from the start, whose highlights are sent."""
        return self._count("COURSE_UPDATE_WEEKS", most=MAX_WEEKS)

    @property
    def hold_back_salt(self) -> str:
        """Secret of the hold-back draw. Empty: derived from `SECRET_KEY`; set it before you change that one."""
        salt: str = self._own("HOLD_BACK_SALT", str, lambda _: True, "text")
        return salt or _derived_salt()

    @property
    def resolve_batch_size(self) -> int:
        """Learners read at a time while a bin is streamed."""
        return self._count("RESOLVE_BATCH_SIZE")

    @property
    def delivery_batch_size(self) -> int:
        """Messages in one delivery task, 100 at most."""
        return self._count("DELIVERY_BATCH_SIZE", most=100)

    @property
    def lease_seconds(self) -> int:
        """Seconds after which a batch that its worker never finished may be taken over."""
        return self._count("LEASE_SECONDS")

    @property
    def retry_seconds(self) -> int:
        """Seconds before a message that was refused for now is tried again; doubled each time, an hour at most."""
        return self._count("RETRY_SECONDS")

    @property
    def retry_attempts(self) -> int:
        """How often a message is tried that fails and nobody can say why, before it is settled as failed."""
        return self._count("RETRY_ATTEMPTS", most=100)

    @property
    def message_ttl_days(self) -> Mapping[str, int]:
        """Message type -> days from its first run's start in which a message is worth sending; 3 where not named."""
        days: Mapping[str, int] = self._own(
            "MESSAGE_TTL_DAYS",
            Mapping,
            _are_days_by_name,
            f"a dict of message types and whole numbers from 1 to {MAX_DAYS}",
        )
        return days

    @property
    def file_email_directory(self) -> Path:
        """Where the channel `schedules_file_email` writes its messages; relative to the working directory."""
        return Path(self._own("FILE_EMAIL_DIRECTORY", (str, Path), bool, "the path of a directory"))

    @property
    def smtp_messages_per_connection(self) -> int:
        """Messages after which the channel `schedules_email` opens a new connection."""
        return self._count("SMTP_MESSAGES_PER_CONNECTION")

    @property
    def smtp_timeout_seconds(self) -> int:
        """Seconds that `schedules_email` waits for each answer, where the mail settings have no timeout."""
        return self._count("SMTP_TIMEOUT_SECONDS", most=3600)

    @property
    def messages_per_second(self) -> Mapping[str, float]:
        """Channel's name -> messages per second of all workers together. A channel that is not named has no limit."""
        rates: Mapping[str, float] = self._own(
            "MESSAGES_PER_SECOND", Mapping, _are_rates, "names of channels, each with a number from 0.001 to 10000"
        )
        return rates

    @property
    def catch_up_days(self) -> int:
        """How many days back a daily run does what was missed, at most; 0: it does today alone."""
        return self._count("CATCH_UP_DAYS", least=0, most=30)

    @property
    def failed_share(self) -> float:
        """Share of the last day's messages, from 0 to 1, that may fail before it counts as a problem."""
        return float(self._own("FAILED_SHARE", (int, float), lambda share: 0 <= share <= 1, "a number from 0 to 1"))

    @property
    def segment_url(self) -> str:
        """Where Segment's API is: another region's, or a proxy's. Events go to `/v1/batch` there."""
        return self._web_url("SEGMENT_URL")

    @property
    def track_clicks(self) -> bool:
        """Whether links to pages lead through our own redirect, which notes in the ledger that one was followed."""
        return self._switch("TRACK_CLICKS")

    @property
    def track_opens(self) -> bool:
        """Whether messages have our own pixel, which notes in the ledger that it was loaded."""
        return self._switch("TRACK_OPENS")

    @property
    def google_analytics_url(self) -> str:
        """Where Google Analytics 4 takes events: another region's, or a proxy's. They go to `/mp/collect` there."""
        return self._web_url("GOOGLE_ANALYTICS_URL")

    # The LMS's and ACE's --------------------------------------------------------------------------

    @property
    def default_channel(self) -> str:
        """Name of the ACE channel that carries our e-mails (`ACE_CHANNEL_DEFAULT_EMAIL`)."""
        return getattr(settings, "ACE_CHANNEL_DEFAULT_EMAIL", "")

    @property
    def routing_key(self) -> str | None:
        """Name of the Celery queue for our tasks (`ACE_ROUTING_KEY`); null means Celery's default."""
        return getattr(settings, "ACE_ROUTING_KEY", None)

    @property
    def segment_key(self) -> str:
        """The write key of a source at Segment (`LMS_SEGMENT_KEY`); empty: nothing goes there."""
        return str(getattr(settings, "LMS_SEGMENT_KEY", None) or "")

    @property
    def is_marketing_site_enabled(self) -> bool:
        """Whether the home page is `MKTG_URLS["ROOT"]` (`FEATURES["ENABLE_MKTG_SITE"]`)."""
        return bool(getattr(settings, "FEATURES", {}).get("ENABLE_MKTG_SITE", False))

    @property
    def default_site_id(self) -> int | None:
        """`SITE_ID`: the site of an enrollment that no other rule places."""
        return getattr(settings, "SITE_ID", None)

    @property
    def locale_paths(self) -> Sequence[str]:
        """Folders of catalogs that win over those of apps (Django's `LOCALE_PATHS`)."""
        return list(map(str, settings.LOCALE_PATHS))

    def lms(self, name: str, default: Any) -> Any:
        """The LMS's setting `name`: one that a site's configuration value of that name may replace."""
        return getattr(settings, name, default)

    # Mistakes -------------------------------------------------------------------------------------

    def unknown_keys(self) -> dict[str, str]:
        """Keys of `SCHEDULES` that nothing reads, each with one line on what to do. Empty when all is well."""
        problems = {}
        for key in self._dict():
            if key not in DEFAULTS:
                near = difflib.get_close_matches(str(key).upper(), DEFAULTS, n=1, cutoff=0)
                problems[str(key)] = f"SCHEDULES[{key!r}] is not a setting; did you mean {near[0]!r}?"
        return problems

    def validate(self) -> None:
        """Read every key once. Raises `ConfigurationError` on the first that is unknown or cannot be used."""
        for problem in self.unknown_keys().values():
            raise ConfigurationError(problem)
        for key in DEFAULTS:
            getattr(self, key.lower())

    def _dict(self) -> Mapping[str, Any]:
        own = getattr(settings, "SCHEDULES", {})
        if not isinstance(own, Mapping):
            raise ConfigurationError(f"SCHEDULES is {own!r}; give a dict.")
        return own

    def _own(self, key: str, kind: Any, is_usable: Callable[[Any], bool], allowed: str) -> Any:
        value = self._dict().get(key, DEFAULTS[key])
        if isinstance(value, bool) or not isinstance(value, kind) or not is_usable(value):
            shown = "(hidden)" if key == "HOLD_BACK_SALT" else repr(value)
            raise ConfigurationError(f"SCHEDULES[{key!r}] is {shown}; allowed: {allowed}.")
        return value

    def _paths(self, key: str) -> tuple[str, ...]:
        paths: Sequence[str] = self._own(key, (list, tuple), _are_paths, "a list of different dotted paths to classes")
        return tuple(paths)

    def _switch(self, key: str) -> bool:
        value = self._dict().get(key, DEFAULTS[key])
        if not isinstance(value, bool):
            raise ConfigurationError(f"SCHEDULES[{key!r}] is {value!r}; allowed: True or False.")
        return value

    def _web_url(self, key: str) -> str:
        url: str = self._own(key, str, _is_web_url, "a URL that begins with https:// or http://")
        return url

    def _count(self, key: str, most: int = 10_000_000, least: int = 1) -> int:
        allowed = f"a whole number from {least} to {most}"
        count: int = self._own(key, int, lambda value: least <= value <= most, allowed)
        return count


def _are_days(days: Sequence[object]) -> bool:
    are_numbers = all(type(day) is int and 1 <= day <= MAX_DAYS for day in days)
    return are_numbers and len(set(days)) == len(days)


def _are_paths(paths: Sequence[object]) -> bool:
    return all(isinstance(path, str) and "." in path for path in paths) and len(set(paths)) == len(paths)


def _is_web_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _are_rates(rates: Mapping[object, object]) -> bool:
    return all(
        isinstance(channel, str) and type(rate) in (int, float) and 0.001 <= rate <= 10_000  # type: ignore[operator]
        for channel, rate in rates.items()
    )


def _are_days_by_name(days: Mapping[object, object]) -> bool:
    return all(
        isinstance(name, str) and type(number) is int and 1 <= number <= MAX_DAYS for name, number in days.items()
    )


def _derived_salt() -> str:
    return salted_hmac("schedules.hold_back", "salt", algorithm="sha256").hexdigest()


conf = Conf()
