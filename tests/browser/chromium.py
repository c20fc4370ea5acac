"""A page of Chromium, and what the tests ask of every document."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from django.test import Client

T = TypeVar("T")

HERE = Path(__file__).parent
AXE = HERE / "node_modules/axe-core/axe.min.js"

#: Where the pictures go, for people to look at; git ignores it.
PICTURES = HERE.parents[1] / "pictures"

#: Of a desktop's reading pane, a phone, and the narrowest that must do (WCAG 2.1, 1.4.10).
DESKTOP, PHONE, NARROWEST = 640, 360, 320

# The first is for containers, whose root has no sandbox to offer; the rest keeps the browser to itself.
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

_AXE_RUN = """
    axe.run(document, {
        runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], resultTypes: ["violations"], iframes: false,
    }).then(result => result.violations.map(
        violation => violation.id + ": " + violation.nodes.map(node => node.target.join(" ")).join(", ")
    ))
"""

# Elements that reach out of the page, were it scrolled or not. What is not displayed has no place.
_OVERFLOW = """
    () => {
        const width = document.documentElement.clientWidth;
        const wide = [...document.body.querySelectorAll("*")].filter(element => {
            const place = element.getBoundingClientRect();
            const isHidden = place.right <= 0 || place.left >= width;  // until it has the focus
            return place.width && place.height && !isHidden && (place.right > width + 0.5 || place.left < -0.5);
        });
        const isScrolled = document.scrollingElement.scrollWidth > width;
        return isScrolled || wide.length ? [`${document.scrollingElement.scrollWidth} px`, ...wide.slice(0, 3).map(
            element => `${element.tagName.toLowerCase()} “${element.textContent.trim().slice(0, 30)}”`
        )] : [];
    }
"""


class Browser:
    """A page of Chromium, with what the tests ask of every document.

    It lives in a thread of its own: Playwright keeps an event loop running, in whose thread Django's database cannot
    be used.
    """

    def __init__(self) -> None:
        self.refusals: list[str] = []
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._thread.submit(self._start).result()

    def do(self, act: Callable[[Any], T]) -> T:
        """What `act` returns for Playwright's page."""
        return self._thread.submit(lambda: act(self._page)).result()

    def open(self, url: str, *, width: int = DESKTOP, is_dark: bool = False) -> None:
        self.show(width=width, is_dark=is_dark)
        self.do(lambda page: page.goto(url))

    def show(self, *, width: int = DESKTOP, is_dark: bool = False) -> None:
        """The document that is open, at another width or in another palette."""
        self.do(lambda page: page.emulate_media(color_scheme="dark" if is_dark else "light"))
        self.do(lambda page: page.set_viewport_size({"width": width, "height": 800}))

    def speak(self, language: str) -> None:
        """Ask sites for pages in that language from now on."""
        self.do(lambda page: page.set_extra_http_headers({"Accept-Language": language}))

    def sign_in(self, url: str, client: Client) -> None:
        """Be at `url` who the test client is there."""
        cookies = [{"name": name, "value": cookie.value, "url": url} for name, cookie in client.cookies.items()]
        self.do(lambda page: page.context.add_cookies(cookies))

    def forget(self) -> None:
        """Be nobody, who reads English, and look at nothing."""
        self.do(lambda page: page.goto("about:blank"))
        self.do(lambda page: page.context.clear_cookies())
        self.speak("en")

    def evaluate(self, script: str) -> Any:
        """What the script returns in the document that is open."""
        return self.do(lambda page: page.evaluate(script))

    def violations(self) -> list[str]:
        """What axe finds against WCAG 2.1 AA: rule, and the elements that break it."""
        found: list[str] = self.evaluate(_AXE_RUN)
        return found

    def overflow(self) -> list[str]:
        """How wide the document is and what makes it so, if that is wider than the window."""
        found: list[str] = self.evaluate(_OVERFLOW)
        return found

    def take_picture(self, name: str) -> None:
        """Side effect: a file in `PICTURES`."""
        self.do(lambda page: page.screenshot(path=PICTURES / f"{name}.png", full_page=True))

    def close(self) -> None:
        self._thread.submit(self._stop).result()
        self._thread.shutdown()

    def _start(self) -> None:
        from playwright.sync_api import sync_playwright

        self._playwright = sync_playwright().start()
        self._chromium = self._playwright.chromium.launch(executable_path=chromium(), args=_ARGUMENTS)
        context = self._chromium.new_context()
        context.add_init_script(path=AXE)
        self._page = context.new_page()
        self._page.on("console", self._note_refusal)

    def _note_refusal(self, message: Any) -> None:
        """What a page's policy forbade it, or a rule of the policy that Chromium does not understand."""
        if "Content Security Policy" in message.text or "Content-Security-Policy" in message.text:
            self.refusals.append(message.text)

    def _stop(self) -> None:
        self._chromium.close()
        self._playwright.stop()


def look(browser: Browser, name: str, url: str) -> dict[str, list[str]]:
    """What is wrong with a page, by how it was looked at."""
    found = {}
    for is_dark in (False, True):
        browser.open(url, is_dark=is_dark)
        found["dark" if is_dark else "light"] = browser.violations()
        browser.take_picture(f"pages/{name}.{'dark' if is_dark else 'desktop'}")
    browser.show(width=NARROWEST)
    found["narrow"] = [*browser.overflow(), *browser.violations()]
    browser.show(width=PHONE)
    browser.take_picture(f"pages/{name}.phone")
    return {how: wrong for how, wrong in found.items() if wrong}


def chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
