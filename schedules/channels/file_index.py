"""A folder of e-mails with an index.html that lists them, true after each one, whoever else writes there.

A message costs the same however many there are: its row is put before the end of the page. The page is made anew, from
all files, only where that would not do: when it is missing, or when files came or went by other hands.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from urllib.parse import quote

from django.core.files import locks
from django.template.loader import render_to_string
from django.utils.html import format_html

from schedules.pages import policy

INDEX = "index.html"

# Written in full before it takes its name, so that nobody ever opens half a file.
_PART = ".part"

_FILE_NAME = re.compile(r"(?P<day>\d{4}-\d\d-\d\d)_(?P<name>\w+)_(?P<user_id>[^_]+)_[0-9a-f]+\.html", re.ASCII)
_ROWS = "(rows)"
_NOTE = "\n<!-- {} -->\n"
_NO_MARKUP = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>-"}
MAX_NOTE_BYTES = 65_536


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """An e-mail as the index lists it. Day, message name and learner's id stand in the name of its file."""

    file: str
    subject: str = ""
    courses: str = ""
    language: str = ""
    written_at: str = ""


def add(directory: Path, letter: Letter, document: str) -> None:
    """Write an e-mail and list it. Raises `OSError`. Safe for many threads and processes at once."""
    directory.mkdir(parents=True, exist_ok=True)
    with _alone_in(directory):
        can_append = _is_current(directory) and not (directory / letter.file).exists()
        _replace(directory / letter.file, document + _summary(letter))
        if not (can_append and _append(directory / INDEX, letter)):
            _replace(directory / INDEX, _page(directory))
        _mark_current(directory)


@contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    """One writer at a time. The folder itself is what is locked, so that nothing is left in it."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        locks.lock(handle, locks.LOCK_EX)
        yield
    finally:
        os.close(handle)


# A folder's time changes with each file that comes or goes, and not when the index grows in its place. So the index
# is given the very time of its folder: where they differ, somebody else was there, or a writer died half-way.


def _is_current(directory: Path) -> bool:
    with suppress(FileNotFoundError):
        return (directory / INDEX).stat().st_mtime_ns == directory.stat().st_mtime_ns
    return False


def _mark_current(directory: Path) -> None:
    now = time.time_ns()
    with suppress(PermissionError):  # another user's folder: there the index is made anew for each message
        os.utime(directory, ns=(now, now))
        os.utime(directory / INDEX, ns=(now, now))


def _replace(path: Path, text: str) -> None:
    part = path.with_name(_PART)
    part.write_text(text, encoding="utf-8", errors="replace")
    part.replace(path)


def _append(index: Path, letter: Letter) -> bool:
    """Put the row before the end of the page; false if the page does not end as it should."""
    end = _frame()[1].encode()
    with suppress(OSError), index.open("r+b") as file:
        file.seek(-len(end), os.SEEK_END)
        if file.read() == end:
            file.seek(-len(end), os.SEEK_END)
            file.write(_row(letter).encode(errors="replace") + end)
            return True
    return False


def _page(directory: Path) -> str:
    """The whole index, oldest first; its script turns that round."""
    begin, end = _frame()
    letters = [_read(path) for path in directory.glob("*.html") if path.name != INDEX and path.is_file()]
    letters.sort(key=lambda letter: (letter.written_at, letter.file))
    return "".join([begin, *map(_row, letters), end])


@cache
def _frame() -> tuple[str, str]:
    """What stands before and after the rows."""
    files = "schedules/files/"
    allowed = policy(styles=f"{files}styles.css", script=f"{files}script.js", more="")
    begin, _, end = render_to_string(f"{files}index.html", {"rows": _ROWS, "policy": allowed}).partition(_ROWS)
    return begin, end


def _row(letter: Letter) -> str:
    named = _FILE_NAME.fullmatch(letter.file)
    return format_html(
        '<tr><th scope="row"><a href="{}" dir="auto">{}</a></th><td dir="auto">{}</td><td>{}</td>'
        "<td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
        quote(letter.file),
        letter.subject or letter.file,
        letter.courses,
        named["name"] if named else "",
        named["day"] if named else "",
        named["user_id"] if named else "",
        letter.language,
        letter.written_at.replace("T", " ")[:19],
    )


def _summary(letter: Letter) -> str:
    """The last line of an e-mail's file: what the index says of it, in a comment that nothing in it can end."""
    return _NOTE.format(json.dumps(asdict(letter)).translate(_NO_MARKUP))


def _read(path: Path) -> Letter:
    """What a file's note says; its name alone where there is none, such as in a file of edx-ace's own channel.

    And of one that cannot be read: another user's, or one that has gone meanwhile.
    """
    note, written_at = "", ""
    with suppress(OSError):
        written_at = datetime.fromtimestamp(path.stat().st_mtime, tz=UTC).isoformat()
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - MAX_NOTE_BYTES))
            note = file.read().decode(errors="replace").rpartition("\n<!-- ")[2].removesuffix(" -->\n")
    try:
        return Letter(**{**{name: str(value) for name, value in json.loads(note).items()}, "file": path.name})
    except (ValueError, TypeError, AttributeError):
        return Letter(file=path.name, written_at=written_at)
