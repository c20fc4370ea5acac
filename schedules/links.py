"""URLs in messages: whole, and encoded so that every mail client and channel reads them alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

#: RFC 3986, 3.3, less "+", which Sailthru reads as a blank.
_SAFE_IN_SEGMENT = ":@!$&'()*,;=~"


def encoded_path(path: str) -> str:
    """A path that is not encoded, encoded."""
    return quote(path, safe=f"/{_SAFE_IN_SEGMENT}")


def absolute_url(domain: str, url: str) -> str:
    """`url` as it stands if it has a host, else as a path on `https://domain`; path segments encoded once."""
    parts = urlsplit(url)
    if parts.netloc:
        return url if parts.scheme else f"https:{url}"
    segments = (quote(unquote(segment), safe=_SAFE_IN_SEGMENT) for segment in parts.path.lstrip("/").split("/"))
    return urlunsplit(("https", domain, "/" + "/".join(segments), parts.query, parts.fragment))


def changed_links(context: Mapping[str, Any], names: Iterable[str], change: Callable[[str], str]) -> dict[str, Any]:
    """Those entries of `context` that `names` names, each URL changed: URLs, or lists of mappings with a `url`."""
    return {name: _changed(context[name], change) for name in names if name in context}


def _changed(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    return [{**one, "url": change(one["url"])} for one in value]
