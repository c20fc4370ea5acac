"""The demo's settings, with a database in memory and nothing written beside the test's own folder."""

import tempfile

from demo.settings import *  # noqa: F403

DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
SCHEDULES = {"FILE_EMAIL_DIRECTORY": tempfile.mkdtemp(prefix="ace_messages_")}
