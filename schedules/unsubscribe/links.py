"""The unsubscribe link: what it carries, signed, and the headers by which mail clients know it."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote
from uuid import UUID

from schedules.values.headers import LIST_UNSUBSCRIBE, WholeHeader
from schedules.values.links import ascii_address
from schedules.values.signed import SignedLink

#: A header's line is at most 998 characters long (RFC 5322, 2.1.1), the site's domain and all.
MAX_TOKEN_CHARACTERS = 800

_LINK = SignedLink("unsubscribe", salt="schedules.unsubscribe")


@dataclass(frozen=True, slots=True)
class Token:
    """Whose link it is and which message it came with: ids alone, and no time at which it would end.

    `course_ids`: of the message; those that did not fit are left out, and then it `is_cut`. `is_test`: the message went
    to a tester in place of the learner, so the link must change nothing. `message_uuid`: of the message, if there is
    one. In a link these stand in this order. Old links have `schedule_ids` in place of courses.
    """

    user_id: int
    site_id: int
    message_type: str
    language: str
    course_ids: tuple[str, ...] = ()
    is_test: bool = False
    message_uuid: UUID | None = None
    is_cut: bool = False
    schedule_ids: tuple[int, ...] = ()


def write_token(token: Token) -> str:
    """The token as signed text, fit for one segment of a path. It names as many courses as it has room for."""
    while len(text := _signed(token)) > MAX_TOKEN_CHARACTERS and token.course_ids:
        token = replace(token, course_ids=token.course_ids[: len(token.course_ids) * 9 // 10], is_cut=True)
    return text


def _signed(token: Token) -> str:
    courses, uuid = list(token.course_ids), token.message_uuid
    fields = [token.user_id, token.site_id, token.message_type, token.language, courses, int(token.is_test)]
    fields += [uuid.hex if uuid else "", int(token.is_cut)]
    return _LINK.write(_compact(fields))


def read_token(text: str) -> Token | None:
    """The token, if the link is ours and whole; else `None`."""
    data = _LINK.read(text) or b"[]"
    fields = json.loads(data if data.startswith(b"[") else zlib.decompress(data))
    try:
        user_id, site_id, message_type, language, courses, is_test, uuid, *is_cut = fields
    except ValueError:
        return None
    return Token(
        user_id,
        site_id,
        message_type,
        language,
        course_ids=tuple(course for course in courses if isinstance(course, str)),
        is_test=bool(is_test),
        message_uuid=UUID(uuid) if uuid else None,
        is_cut=any(is_cut),
        schedule_ids=tuple(course for course in courses if isinstance(course, int)),
    )


def _compact(fields: Any) -> bytes:
    """JSON, deflated where that is shorter: ids of courses have much in common.

    Not by Django's `compress`: its texts begin with a dot, and many web servers hide such paths.
    """
    text = json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()
    return min(text, zlib.compress(text, 9), key=len)


def page_path(token: Token) -> str:
    """The path of the token's page; empty where the project does not include `schedules.urls`."""
    return _LINK.path(write_token(token))


def list_headers(url: str, address: str) -> dict[str, str]:
    """`List-Unsubscribe` (RFC 2369, 3.2) and `List-Unsubscribe-Post` (RFC 8058, 3.1), as far as there is what to name.

    One click takes an https `url`; of another there is the first header alone. `address`, where requests are read by
    hand, may be anybody's words. Either may be empty.
    """
    ways = [f"<{url}>"] if url else []
    if address:
        ways.append(f"<mailto:{quote(ascii_address(str(address).strip()), safe='@')}?subject=unsubscribe>")
    headers: dict[str, str] = {LIST_UNSUBSCRIBE: WholeHeader(", ".join(ways), LIST_UNSUBSCRIBE)} if ways else {}
    if url.startswith("https://"):
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return headers
