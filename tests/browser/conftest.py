"""One Chromium for all tests; what is missing is a failure under `make test-browser` and a skip otherwise."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator

import pytest
from django.test.testcases import QuietWSGIRequestHandler

from tests.browser.chromium import AXE, Browser, chromium

IS_ASKED_FOR = os.environ.get("TEST_BROWSER") == "1"


@pytest.fixture(scope="session", autouse=True)
def _no_connection_is_kept() -> Iterator[None]:
    """The server's threads end with their requests; those of kept connections would outlive its database."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(QuietWSGIRequestHandler, "protocol_version", "HTTP/1.0")
        yield


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The browser; the test ends here if something is missing."""
    need(what_is_missing())
    opened = Browser()
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def _each_test_begins_with_a_stranger(request) -> Iterator[None]:
    """The browser is one for all tests; whom it was signed in as in the last one is not.

    And each ends with pages that did no more than their Content Security Policy lets them.
    """
    if "browser" in request.fixturenames:
        request.getfixturevalue("browser").forget()
    yield
    if "browser" in request.fixturenames:
        browser = request.getfixturevalue("browser")
        refusals = [*browser.refusals]
        browser.refusals.clear()
        assert refusals == [], "a page may not do what its Content Security Policy forbids"


@pytest.fixture
def node() -> str:
    """The program `node`, with the packages of package.json; the test ends here if something is missing."""
    need(what_is_missing())
    return str(shutil.which("node"))


def need(missing: str) -> None:
    if IS_ASKED_FOR:
        assert not missing, f"missing: {missing}; on Debian .ci/browser installs it"
    else:
        pytest.skip(f"missing: {missing}" if missing else "run by make test-browser")


def what_is_missing() -> str:
    """With commas between; empty when all is there."""
    missing = {
        "Chromium (chromium)": chromium() is None,
        "Node (node)": shutil.which("node") is None,
        "npm (npm)": shutil.which("npm") is None,
        "the packages of tests/browser/package.json (make test-browser gets them)": not AXE.exists(),
        "the Python package playwright": importlib.util.find_spec("playwright") is None,
    }
    return ", ".join(name for name, is_missing in missing.items() if is_missing)
