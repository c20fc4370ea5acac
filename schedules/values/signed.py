"""Signed links: what a token is made of, how it is read, and the path that it is put into.

Nobody signs in to follow one, and they lie in mailboxes for years: another format needs another salt.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.core.signing import BadSignature, Signer
from django.urls import NoReverseMatch, reverse
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode


@dataclass(frozen=True, slots=True)
class SignedLink:
    """A link to a page of `schedules.urls` whose first argument is a token, signed with the `salt`."""

    page: str
    salt: str

    def write(self, data: bytes) -> str:
        """The token of `data`, fit for one segment of a path."""
        return self._signer().sign(urlsafe_base64_encode(data))

    def read(self, token: str) -> bytes | None:
        """The data, if it was signed with one of our keys (`SECRET_KEY_FALLBACKS` too); else `None`."""
        try:
            return urlsafe_base64_decode(self._signer().unsign(token))
        except BadSignature:
            return None

    def path(self, token: str, *more: str) -> str:
        """The path of the page; empty where the project does not include it."""
        try:
            return reverse(f"schedules:{self.page}", args=[token, *more])
        except NoReverseMatch:
            return ""

    def _signer(self) -> Signer:
        return Signer(sep=".", salt=self.salt)
