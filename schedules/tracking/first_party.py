"""Clicks and opens by pages of our own: the links that lead through them, and what their tokens say.

A link to `https://example.com/courses/x?y=1#z` leads to `https://example.com/…/click/<token>/courses/x?y=1#z`: the way
to the page can be read in it, so that a token that got damaged costs a number and not the visit.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit
from uuid import UUID

from schedules.values.links import encoded_path, site_root
from schedules.values.signed import SignedLink

_CLICK = SignedLink("click", salt="schedules.click")
_OPEN = SignedLink("open", salt="schedules.open")


@dataclass(frozen=True, slots=True)
class Token:
    """Which message was clicked or opened; `origin`, such as `https://apps.example.com`, if not to our own site."""

    uuid: UUID
    origin: str = ""


class ClickLinks:
    """The links of one message on the site `domain`, by which a click is recorded and goes on to a page."""

    def __init__(self, uuid: UUID, domain: str) -> None:
        self._uuid, self._own_origin = uuid, site_root(domain)
        self._pages: dict[str, str] = {}  # origin -> the redirect's own path

    def path(self, url: str) -> str:
        """The path on the site from where a click goes on to `url`.

        Empty where the project does not include that page, and for what would not come out of it as it went in: a URL
        that is not on the web, or whose path holds an encoded slash.
        """
        parts = urlsplit(url)
        page_path = parts.path.lstrip("/")
        is_kept = encoded_path(unquote(page_path)) == page_path and parts.path[1:2] != "/"
        if parts.scheme not in ("https", "http") or not is_kept:
            return ""
        page = self._page(f"{parts.scheme}://{parts.netloc}")
        query = f"?{parts.query}" if parts.query else ""
        fragment = f"#{parts.fragment}" if parts.fragment else ""
        return f"{page}{page_path}{query}{fragment}" if page else ""

    def _page(self, origin: str) -> str:
        if origin not in self._pages:
            token = Token(self._uuid, "" if origin == self._own_origin else origin)
            self._pages[origin] = _path(_CLICK, token, "")
        return self._pages[origin]


def open_path(uuid: UUID) -> str:
    """The path of the pixel; empty where the project does not include it."""
    return _path(_OPEN, Token(uuid))


def read_click(text: str) -> Token | None:
    """The token of a click, if the link is ours and whole; else `None`."""
    return _read(_CLICK, text)


def read_open(text: str) -> Token | None:
    """The same of an open."""
    return _read(_OPEN, text)


def landing_path(page_path: str) -> str:
    """The path of what followed a token, as the web server has decoded it: never another host's (`//host`)."""
    return "/" + encoded_path(page_path.lstrip("/\\"))


def _path(link: SignedLink, token: Token, *more: str) -> str:
    return link.path(link.write(token.uuid.bytes + token.origin.encode()), *more)


def _read(link: SignedLink, text: str) -> Token | None:
    data = link.read(text)
    return Token(UUID(bytes=data[:16]), data[16:].decode()) if data else None
