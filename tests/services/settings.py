"""The demo's settings on real services; the environment says on which (`Scenario.environment`)."""

import os

import django

if os.environ["DATABASE_URL"].startswith("mysql:"):
    import pymysql

    pymysql.install_as_MySQLdb()

from demo.settings import *  # noqa: F403

ACE_ROUTING_KEY = CELERY_TASK_DEFAULT_QUEUE = "schedules"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BEAT_SCHEDULE = {"recover": {"task": "schedules.tasks.recover", "schedule": 3.0, "options": {"expires": 3.0}}}

_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
_SMTP = {"host": "127.0.0.1", "port": int(os.environ["SERVICES_SMTP_PORT"]), "timeout": 10}
if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": _BACKEND, "OPTIONS": _SMTP}}
else:
    EMAIL_BACKEND = _BACKEND
    EMAIL_HOST, EMAIL_PORT, EMAIL_TIMEOUT = _SMTP.values()

ACE_ENABLED_CHANNELS = ["schedules_email"]
ACE_CHANNEL_DEFAULT_EMAIL = ACE_CHANNEL_TRANSACTIONAL_EMAIL = "schedules_email"

SCHEDULES = {
    "DELIVERY_BATCH_SIZE": 25,
    "LEASE_SECONDS": int(os.environ["SERVICES_LEASE_SECONDS"]),
    "RETRY_SECONDS": 1,
}
if "SERVICES_SEGMENT_URL" in os.environ:
    LMS_SEGMENT_KEY = "a-write-key"
    SCHEDULES["SEGMENT_URL"] = os.environ["SERVICES_SEGMENT_URL"]
if os.environ["SERVICES_RATE"]:
    SCHEDULES["MESSAGES_PER_SECOND"] = {"schedules_email": int(os.environ["SERVICES_RATE"])}
