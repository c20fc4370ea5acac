"""manage.py send_upgrade_reminder SITE_DOMAIN."""

from __future__ import annotations

from schedules.management.send_command import SendCommand


class Command(SendCommand):
    help = "Remind learners whose upgrade deadline is near."
    message_type = "upgrade_reminder"
