"""URLs in messages: whole, and encoded so that every mail client and channel reads them alike.

A site's domain is written in ASCII (IDNA, RFC 5891), wherever it stands.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

import idna

from schedules.conf import conf
from schedules.exceptions import ConfigurationError

#: What a link of a host or a site may be, in words.
ALLOWED_LINK = "a path on the site, or a URL that begins with https:// or http://"

#: RFC 3986, 3.3, less "+", which Sailthru reads as a blank.
_SAFE_IN_SEGMENT = ":@!$&'()*,;=~"

_DOMAIN_REMEDY = (
    "give a plain host name such as learn.example.com, with its port if it has one. Correct it in the admin, "
    "under Sites."
)

_ON_THE_WEB = ("https", "http")
_PLAIN_PATH = re.compile(r"/(?!/)[!-~]*")
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_HOST_NAME = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*")


def encoded_path(path: str) -> str:
    """A path that is not encoded, encoded."""
    return quote(path, safe=f"/{_SAFE_IN_SEGMENT}")


def absolute_url(domain: str, url: str) -> str:
    """`url` as it stands if it has a host, else as a path on the site's domain; path segments encoded once.

    The host is written in ASCII. An address to write to (`mailto:`) stays.
    """
    parts = urlsplit(url)
    if parts.scheme == "mailto":
        return url
    if parts.netloc:
        if not parts.netloc.isascii():
            url = urlunsplit(parts._replace(netloc=_ascii_authority(parts)))
        return url if parts.scheme else f"https:{url}"
    segments = (quote(unquote(segment), safe=_SAFE_IN_SEGMENT) for segment in parts.path.lstrip("/").split("/"))
    return f"{site_root(domain)}/{'/'.join(segments)}{urlunsplit(('', '', '', parts.query, parts.fragment))}"


def is_link(url: str, *, or_address: bool = False) -> bool:
    """Whether a message may link there; `or_address`: or to an address to write to (`mailto:`)."""
    if _PLAIN_PATH.fullmatch(url):  # nearly all of them, and there are millions
        return True
    try:
        parts = urlsplit(url)
        host = ascii_host(parts.hostname or "")
    except ValueError:
        return False
    if _CONTROL_CHARACTERS.search(url) or url != url.strip():
        return False
    if or_address and parts.scheme == "mailto":
        return "@" in parts.path
    if parts.scheme in _ON_THE_WEB or (parts.netloc and not parts.scheme):
        return bool(host)
    return not parts.scheme


def site_root(domain: str) -> str:
    """Scheme and host of a site, such as `https://example.com`, without a slash at the end.

    `domain` is taken as it was meant: of one that was entered with a scheme, upper case letters, or a slash at the end
    the links work. Raises `ConfigurationError` for one that holds no host name.
    """
    return f"{conf.url_scheme}://{_authority(domain)}"


def ascii_domain(domain: str) -> str:
    """A site's host and port in ASCII. Raises `ConfigurationError`, as `site_root()`."""
    return _authority(domain).partition("/")[0]


def host_name(domain: str) -> str:
    """A site's host without its port, in ASCII, as headers name it. Raises `ConfigurationError`, as `site_root()`."""
    return re.sub(r":\d+$", "", ascii_domain(domain))


def is_same_host(domain: str, other_domain: str) -> bool:
    """Whether two domains mean the same host and port, however they are written."""
    try:
        return _authority(domain) == _authority(other_domain)
    except ConfigurationError:
        return False


def domain_problem(domain: str) -> str:
    """One sentence on what is wrong with a site's domain; empty for a plain host name, with a port or without."""
    try:
        authority = _authority(domain)
    except ConfigurationError as error:
        return str(error)
    is_name = bool(_HOST_NAME.fullmatch(host_name(domain))) or authority.startswith("[")
    if not is_name or re.search(r"[\s/?#@]", domain):
        return f"The site's domain is {domain!r}; {_DOMAIN_REMEDY}"
    return ""


def ascii_address(address: str) -> str:
    """An e-mail address, with a name or without, whose domain is written in ASCII if it can be."""
    try:
        return re.sub(r"@([^\s@<>\"]+)(?=>?\s*$)", lambda found: f"@{ascii_host(found[1])}", address)
    except ValueError:
        return address


def ascii_host(host: str) -> str:
    """A host name in ASCII. Raises `ValueError` for one that cannot be written so."""
    return host if host.isascii() else idna.encode(host, uts46=True).decode("ascii")


@functools.lru_cache(256)
def _authority(domain: str) -> str:
    """Host and port, and the path where a site was given one; nothing else of what was entered."""
    meant = re.sub(r"^[a-z]+://", "", domain.strip(), flags=re.IGNORECASE)
    try:
        parts = urlsplit(f"//{meant}")
        host = _ascii_authority(parts).lower().removesuffix(":" if parts.port is None else "")
        if not parts.hostname or re.search(r"[^\w.:\[\]-]", host):
            raise ValueError(meant)
    except ValueError:
        raise ConfigurationError(
            f"The site's domain is {domain!r}, which holds no host name; {_DOMAIN_REMEDY}"
        ) from None
    return host + encoded_path(unquote(parts.path)).rstrip("/")


def _ascii_authority(parts: SplitResult) -> str:
    """Host and port of a URL in ASCII. Raises `ValueError`."""
    before, at, host = parts.netloc.rpartition("@")
    name, colon, port = host.partition(":") if not host.startswith("[") else (host, "", "")
    return f"{before}{at}{ascii_host(name)}{colon}{port}"


def changed_links(context: Mapping[str, Any], names: Iterable[str], change: Callable[[str], str]) -> dict[str, Any]:
    """Those entries of `context` that `names` names, each URL changed: URLs, or lists of mappings with a `url`."""
    return {name: _changed(context[name], change) for name in names if name in context}


def _changed(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    return [{**link, "url": change(link["url"])} for link in value]
