"""The embedded LMS's host, for a test to change."""

from schedules.contrib.lms import host


class LmsHost(host.LmsHost):
    """A test may replace its methods."""
