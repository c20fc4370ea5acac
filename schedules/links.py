"""URLs in messages: whole, and encoded so that every mail client and channel reads them alike."""

from __future__ import annotations

from urllib.parse import quote, unquote, urlsplit, urlunsplit

#: RFC 3986, 3.3, less "+", which Sailthru reads as a blank.
_SAFE_IN_SEGMENT = ":@!$&'()*,;=~"


def absolute_url(domain: str, url: str) -> str:
    """`url` as it stands if it has a host, else as a path on `https://domain`; path segments encoded once."""
    parts = urlsplit(url)
    if parts.netloc:
        return url if parts.scheme else f"https:{url}"
    segments = (quote(unquote(segment), safe=_SAFE_IN_SEGMENT) for segment in parts.path.lstrip("/").split("/"))
    return urlunsplit(("https", domain, "/" + "/".join(segments), parts.query, parts.fragment))
