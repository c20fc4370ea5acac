"""An index.html of the e-mails that the file channel wrote."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.template.loader import render_to_string

_FILE_NAME = re.compile(r"(?P<day>\d{4}-\d{2}-\d{2})_(?P<name>\w+?)_(?P<user_id>\d+)_(?P<uuid>[0-9a-f]+)\.html")
_LANGUAGE = re.compile(r'<(?:div|table|html)[^>]* lang="([^"]+)"')
_SUBJECT = re.compile(r"<!-- subject: (.*?) -->", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Letter:
    """One e-mail: to whom (by id), what, for which day and when it was written, in which language."""

    file: str
    user_id: int
    name: str
    subject: str
    day: str
    written_at: datetime
    language: str


def write_index(directory: Path) -> Path:
    """List the e-mails in `directory` in its index.html; returns that file's path."""
    directory.mkdir(parents=True, exist_ok=True)
    letters = sorted(_letters(directory), key=lambda one: (one.day, one.name, one.user_id, one.file))
    index = directory / "index.html"
    index.write_text(render_to_string("demo/mailbox.html", {"letters": letters}), encoding="utf-8")
    return index


def _letters(directory: Path) -> Iterator[Letter]:
    for path in directory.iterdir():
        parts = _FILE_NAME.fullmatch(path.name)
        if parts is None:
            continue
        html = path.read_text(encoding="utf-8")
        subject, language = _SUBJECT.search(html), _LANGUAGE.search(html)
        yield Letter(
            file=path.name,
            user_id=int(parts["user_id"]),
            name=parts["name"],
            subject=subject[1] if subject else "",
            day=parts["day"],
            written_at=datetime.fromtimestamp(path.stat().st_mtime, tz=UTC),
            language=language[1] if language else "",
        )
