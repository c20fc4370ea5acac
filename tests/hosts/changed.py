"""The embedded LMS's host and a message type of the app, for a test to change."""

from django.utils.module_loading import import_string

from schedules.contrib.lms import host


class LmsHost(host.LmsHost):
    """A test may replace its methods."""


class RecurringNudge(import_string("schedules.message_types.recurring_nudge.RecurringNudge")):
    """As the settings name it. A test may replace its methods."""
