"""manage.py send_recurring_nudge SITE_DOMAIN."""

from __future__ import annotations

from schedules.management.send_command import SendCommand


class Command(SendCommand):
    help = "Invite learners who started some days ago to go on."
    message_type = "recurring_nudge"
