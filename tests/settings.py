"""The demo's settings, with a database in memory and nothing written beside the test's own folder."""

import atexit
import shutil
import tempfile

from demo.settings import *  # noqa: F403

INSTALLED_APPS += ["tests.hosts.campus"]  # noqa: F405 - the demo's

DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

#: Where messages go in tests that do not say where. It is gone with this process.
MESSAGES = tempfile.mkdtemp(prefix="ace_messages_")
atexit.register(shutil.rmtree, MESSAGES, ignore_errors=True)
SCHEDULES = {"FILE_EMAIL_DIRECTORY": MESSAGES}
