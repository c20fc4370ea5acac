"""The demo's settings on real services; the environment says on which (`scenario.environment`)."""

import os
from urllib.parse import urlsplit

import django

if urlsplit(os.environ["DATABASE_URL"]).scheme == "mysql":
    import pymysql

    pymysql.install_as_MySQLdb()

from demo.settings import *  # noqa: F403

_DATABASE = urlsplit(os.environ["DATABASE_URL"])
DATABASES = {
    "default": {
        "ENGINE": f"django.db.backends.{_DATABASE.scheme}",
        "NAME": _DATABASE.path.lstrip("/"),
        "USER": _DATABASE.username,
        "PASSWORD": _DATABASE.password or "",
        "HOST": _DATABASE.hostname,
        "PORT": _DATABASE.port,
    }
}

CELERY_TASK_ALWAYS_EAGER = False
CELERY_BROKER_URL = os.environ["CELERY_BROKER_URL"]
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
ACE_ROUTING_KEY = CELERY_TASK_DEFAULT_QUEUE = "schedules"

SMTP_TIMEOUT_SECONDS = 3
_SMTP = {"host": "127.0.0.1", "port": int(os.environ["SERVICES_SMTP_PORT"]), "timeout": SMTP_TIMEOUT_SECONDS}
_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": _BACKEND, "OPTIONS": _SMTP}}
else:
    EMAIL_BACKEND = _BACKEND
    EMAIL_HOST, EMAIL_PORT, EMAIL_TIMEOUT = _SMTP.values()

ACE_ENABLED_CHANNELS = ["django_email"]
ACE_CHANNEL_DEFAULT_EMAIL = ACE_CHANNEL_TRANSACTIONAL_EMAIL = "django_email"

SCHEDULES = {"LEASE_SECONDS": 10, "DELIVERY_BATCH_SIZE": 25}
