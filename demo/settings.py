"""Settings of the demo: SQLite, Celery in the calling process, e-mails written to files."""

import logging
import os
from pathlib import Path

import dj_database_url
import django

ROOT = Path(__file__).resolve().parent.parent

SECRET_KEY = "demo-only-never-use-this-in-production"  # noqa: S105 - a demo keeps no secrets
DEBUG = True
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "demo.urls"
SITE_ID = 1
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
LANGUAGES = [
    ("en", "English"),
    ("ar", "العربية"),
    ("de", "Deutsch"),
    ("es", "Español"),
    ("fr", "Français"),
    ("he", "עברית"),
    ("ja", "日本語"),
    ("pt-br", "Português (Brasil)"),
    ("zh-hans", "简体中文"),
]
STATIC_URL = "static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOGIN_URL = "schedules_lms:login"
LOGIN_REDIRECT_URL = "schedules_lms:dashboard"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.sites",
    "django.contrib.staticfiles",
    "edx_ace",
    "config_models",
    "waffle",
    "schedules",
    "schedules.contrib.lms",
    "demo",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# DATABASE_URL names another database, such as postgres://user:password@host/name.
DATABASES = {"default": dj_database_url.config(default=f"sqlite:///{ROOT / 'demo.sqlite3'}")}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {"transaction_mode": "IMMEDIATE", "timeout": 20}

# CELERY_BROKER_URL names a broker, such as redis://host/0; without one, tasks run in the calling process.
CELERY_BROKER_URL = os.environ.get("CELERY_BROKER_URL", "memory://localhost/")
CELERY_TASK_ALWAYS_EAGER = "CELERY_BROKER_URL" not in os.environ

# The LMS that the e-mails speak for.
PLATFORM_NAME = "Meadow University"
CONTACT_MAILING_ADDRESS = "12 Orchard Lane, Springfield"
CONTACT_EMAIL = "help@example.com"
DEFAULT_FROM_EMAIL = "learning@example.com"
SOCIAL_MEDIA_FOOTER_URLS = {
    "facebook": "https://www.facebook.com/example",
    "youtube": "https://www.youtube.com/@example",
}
MOBILE_STORE_URLS: dict[str, str] = {}
FEATURES = {"ENABLE_MKTG_SITE": False}
MKTG_URLS: dict[str, str] = {}

# The django_email channel, where it is enabled, prints to the terminal. Django 6.1 has a new way to say so.
if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": "django.core.mail.backends.console.EmailBackend"}}
else:
    EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"

# edx-ace
ACE_ENABLED_CHANNELS = ["schedules_file_email"]
ACE_CHANNEL_DEFAULT_EMAIL = "schedules_file_email"
ACE_CHANNEL_TRANSACTIONAL_EMAIL = "schedules_file_email"
ACE_ENABLED_POLICIES = ["bulk_email_optout"]
OPENEDX_TELEMETRY: list[str] = []  # edx-ace reports to monitoring, which the demo has not

SCHEDULES = {"FILE_EMAIL_DIRECTORY": ROOT / "ace_messages"}


def is_not_about_unused_channels(record: logging.LogRecord) -> bool:
    """edx-ace loads every channel of its package, and those that are not set up say so."""
    message = record.getMessage().lower()
    return not any(channel in message for channel in ("sailthru", "push_notification", "braze"))


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "unused_channels": {
            "()": "django.utils.log.CallbackFilter",
            "callback": is_not_about_unused_channels,
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "filters": ["unused_channels"]}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}
