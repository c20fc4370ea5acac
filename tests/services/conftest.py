"""Which services are there; what is missing is a failure under `make test-services` and a skip otherwise."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal

import pytest

from tests.services.ports import is_listening
from tests.services.scenario import COLUMNS, Result

IS_ASKED_FOR = os.environ.get("TEST_SERVICES") == "1"
RESULTS = pytest.StashKey[list[Result]]()


@pytest.fixture(scope="session")
def results(request) -> list[Result]:
    """What the scenarios measured, for the table at the end."""
    return request.config.stash.setdefault(RESULTS, [])


@pytest.fixture
def services():
    """A function that takes kinds of services, and ends the test unless all are there."""

    def need(*kinds) -> None:
        missing = ", ".join(text for kind in kinds if (text := _what_is_missing(kind)))
        if IS_ASKED_FOR:
            assert not missing, f"missing: {missing}"
        else:
            pytest.skip(f"missing: {missing}" if missing else "run by make test-services")

    return need


def pytest_configure(config) -> None:
    if IS_ASKED_FOR:  # whoever stops us by SIGTERM leaves no process and no database behind either
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter, config) -> None:
    found = config.stash.get(RESULTS, [])
    if found:
        rows = [COLUMNS, *sorted(result.row() for result in found)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        terminalreporter.section("what the mail server received")
        for row in rows:
            terminalreporter.write_line("  ".join(map(str.ljust, row, widths)).rstrip())


def _what_is_missing(kind: type) -> str:
    drivers = [name for name in kind.drivers if importlib.util.find_spec(name) is None]
    if drivers:
        return f"{kind.name} (Python package {drivers[0]})"
    programs = [name for name in getattr(kind, "programs", ()) if shutil.which(name) is None]
    if programs:
        return f"{kind.name} ({programs[0]})"
    if kind.port and not is_listening(kind.port):
        return f"{kind.name} (127.0.0.1:{kind.port})"
    return ""
