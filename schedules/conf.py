"""Every Django setting that the app reads, each as one typed attribute of `conf`.

Values are read afresh at each access, so `override_settings` works. Our own keys live in the dict `SCHEDULES`: each is
declared below with its default, its rule and what it means, and `docs/reference/settings` is made from that. The
others are settings that an LMS has anyway, read under their own names.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

from django.conf import settings
from django.core.signals import setting_changed

from schedules.exceptions import ConfigurationError
from schedules.values.rules import (
    DAYS,
    DAYS_BY_TYPE,
    DIRECTORY,
    MAX_DAYS,
    MAX_WEEKS,
    PATH,
    PATHS,
    RATE,
    SALT,
    SCHEME,
    SHARE,
    SWITCH,
    WEB_URL,
    ZONE,
    Setting,
    number,
    own_settings,
)

F = TypeVar("F", bound=Callable[..., Any])


def cached_until(*names: str) -> Callable[[F], F]:
    """As `functools.cache`, until a test changes one of these Django settings."""

    def decorate(function: F) -> F:
        cached = functools.cache(function)

        def forget(*, setting: str, **_: Any) -> None:
            if setting in names:
                cached.cache_clear()

        setting_changed.connect(forget, weak=False)
        return cast(F, cached)

    return decorate


class Conf:
    """The settings, by name. A value that cannot be used raises `ConfigurationError`."""

    # Ours -----------------------------------------------------------------------------------------

    host = Setting(
        "schedules.contrib.lms.host.LmsHost",
        PATH,
        "The ``schedules.host.Host`` subclass that speaks for the LMS. The default is the embedded LMS.",
    )
    message_types = Setting(
        (
            "schedules.message_types.recurring_nudge.RecurringNudge",
            "schedules.message_types.upgrade_reminder.UpgradeReminder",
            "schedules.message_types.course_update.CourseUpdate",
        ),
        PATHS,
        "The :term:`message types <message type>`: subclasses of ``schedules.messages.Resolver``. ``send_daily`` "
        "runs them in this order. Who adds one names the three of the app, too: :doc:`../howto/add-a-message-"
        "type`. What waits for a message type that is taken out is ``skipped: message-type-gone``.",
    )
    gates = Setting(
        (),
        PATHS,
        ":term:`Gates <gate>` of the host's own: subclasses of ``schedules.messages.Gate``. They are asked after "
        "the app's, in this order. :doc:`../howto/add-a-gate` shows one.",
    )
    time_zone = Setting(
        "UTC",
        ZONE,
        "The zone in which a day runs from midnight to midnight.",
    )
    url_scheme = Setting(
        "https",
        SCHEME,
        "How links to a site's pages begin. ``http`` is for a machine of one's own: messages then have no ``List-"
        "Unsubscribe-Post``, for one click takes ``https`` (RFC 8058).",
    )
    recurring_nudge_days = Setting(
        (3, 10),
        DAYS,
        "The days after the start on which the recurring nudge is due. Each needs its templates. Those of 3, 10 "
        "and 19 are there.",
        unit="days",
    )
    upgrade_reminder_days = Setting(
        2,
        number(most=MAX_DAYS),
        "How long before the upgrade deadline the upgrade reminder is due.",
        unit="days",
    )
    course_update_weeks = Setting(
        11,
        number(most=MAX_WEEKS),
        "The last week, counted from the start, whose highlights are sent.",
        unit="weeks",
    )
    hold_back_salt = Setting(
        "",
        SALT,
        "Decides, with the site and the learner, who is in the control group. Empty: derived from ``SECRET_KEY``. "
        "Set it before you change that one, or the assignment changes. It is never shown.",
        is_secret=True,
    )
    resolve_batch_size = Setting(
        500,
        number(),
        "How many learners are read at a time while a bin is searched.",
        unit="learners",
    )
    delivery_batch_size = Setting(
        100,
        number(most=100),
        "How many messages one delivery task gets.",
        unit="messages",
    )
    lease_seconds = Setting(
        900,
        number(),
        "After this long, what a worker leased and never finalized may be reclaimed. By the clock of the "
        "database; it begins anew with each hand-over to the channel, so it has to be longer than the channel may "
        "take for one message.",
        unit="seconds",
    )
    retry_seconds = Setting(
        60,
        number(),
        "How long a message waits that its channel or the LMS refused for now. Doubled with each try, an hour at "
        "most, and spread by half to either side. A channel that says when to come back is believed. The trials "
        "of a channel :ref:`that takes nothing <trouble-with-the-channel>` have the same intervals.",
        unit="seconds",
    )
    retry_attempts = Setting(
        12,
        number(most=100),
        "How often a message is tried that fails for a reason that nobody can name, before it has failed. What "
        "waiting can mend is tried for as long as the message is worth sending.",
    )
    message_ttl_days = Setting(
        {},
        DAYS_BY_TYPE,
        "The :term:`time to live` of a message: how long it is worth sending, counted from the start of the run "
        "that first claimed it, also of one for a past day. Three days for a message type that is not named.",
        unit="days",
    )
    file_email_directory = Setting(
        "ace_messages",
        DIRECTORY,
        "Where the channel ``schedules_file_email`` writes its messages, and the ``index.html`` that lists them. "
        "A relative path starts at the working directory.",
    )
    smtp_messages_per_connection = Setting(
        100,
        number(),
        "After how many messages the channel ``schedules_email`` opens a new connection.",
        unit="messages",
    )
    smtp_timeout_seconds = Setting(
        30,
        number(most=3600),
        "How long ``schedules_email`` waits for each answer of the server, where the mail settings have no timeout.",
        unit="seconds",
    )
    messages_per_second = Setting(
        {},
        RATE,
        "How many messages a channel gets from all workers together. A channel that is not named has no limit. "
        "``manage.py check`` warns of names that are not enabled channels.",
        unit="messages per second",
    )
    catch_up_days = Setting(
        3,
        number(least=0, most=30),
        "How many days back a daily run does what was missed, at most. 0: it does today alone.",
        unit="days",
    )
    failed_share = Setting(
        0.05,
        SHARE,
        "Share of the messages tried in the last 24 hours that may fail before the :doc:`status <../howto/know-"
        "that-it-runs>` calls it a problem.",
    )
    segment_url = Setting(
        "https://api.segment.io",
        WEB_URL,
        "Where Segment's API is: of another region, such as ``https://events.eu1.segmentapis.com``, or of a "
        "proxy. Events are posted to ``/v1/batch`` there. Read only where there is a ``LMS_SEGMENT_KEY``.",
    )
    track_clicks = Setting(
        True,
        SWITCH,
        "Whether links to pages lead through the app's own redirect, which records the first :term:`click` in the "
        "ledger.",
    )
    track_opens = Setting(
        False,
        SWITCH,
        "Whether messages have the app's own :term:`pixel`, which records the first :term:`open` in the ledger.",
    )
    google_analytics_url = Setting(
        "https://www.google-analytics.com",
        WEB_URL,
        "Where Google Analytics 4 takes events: of another region, such as ``https://region1.google-"
        "analytics.com``, or of a proxy. Opens are posted to ``/mp/collect`` there. The pixel of Universal "
        "Analytics keeps its own address.",
    )

    # The LMS's and ACE's --------------------------------------------------------------------------

    @property
    def default_channel(self) -> str:
        """Name of the ACE channel that carries our e-mails (`ACE_CHANNEL_DEFAULT_EMAIL`)."""
        return getattr(settings, "ACE_CHANNEL_DEFAULT_EMAIL", "")

    @property
    def routing_key(self) -> str | None:
        """Name of the Celery queue for our tasks (`ACE_ROUTING_KEY`); `None` means Celery's default."""
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
        for key in own_settings():
            if key not in SETTINGS:
                near = difflib.get_close_matches(str(key).upper(), SETTINGS, n=1, cutoff=0)
                problems[str(key)] = f"SCHEDULES[{key!r}] is not a setting; did you mean {near[0]!r}?"
        return problems

    def validate(self) -> None:
        """Read every key once. Raises `ConfigurationError` on the first that is unknown or cannot be used."""
        for problem in self.unknown_keys().values():
            raise ConfigurationError(problem)
        for key in SETTINGS:
            getattr(self, key.lower())


#: Each key of `SCHEDULES` with its declaration, in the order of this module.
SETTINGS: Mapping[str, Setting[Any]] = {
    setting.key: setting for setting in vars(Conf).values() if isinstance(setting, Setting)
}

conf = Conf()
