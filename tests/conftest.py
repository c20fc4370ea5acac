"""Fixtures for all tests."""

from __future__ import annotations

import edx_ace.channel
import edx_ace.policy
import pytest
from django.core.cache import cache


@pytest.fixture(autouse=True)
def _fresh_caches():
    """edx-ace loads channels and policies once per process, and waffle caches its flags."""
    forget_ace_plugins()
    cache.clear()
    yield
    forget_ace_plugins()


def forget_ace_plugins() -> None:
    for loader in (edx_ace.channel.channels, edx_ace.policy.policies):
        vars(loader.__wrapped__).pop("__once_result", None)


@pytest.fixture
def mailbox(settings, tmp_path):
    """The folder of the file channel, empty at first."""
    settings.SCHEDULES = {**settings.SCHEDULES, "FILE_EMAIL_DIRECTORY": tmp_path}
    return tmp_path
