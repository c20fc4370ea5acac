"""The embedded LMS's host and a message type of the app, for a test to change."""

from schedules.contrib.lms import host
from schedules.message_types import recurring_nudge


class LmsHost(host.LmsHost):
    """A test may replace its methods."""


class RecurringNudge(recurring_nudge.RecurringNudge):
    """A test may replace its methods."""
