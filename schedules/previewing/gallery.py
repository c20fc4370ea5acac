"""Previews as files that a browser shows: one page that lists them all, with each by itself beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from django.contrib.sites.models import Site
from django.template import TemplateDoesNotExist, TemplateSyntaxError
from django.template.loader import get_template
from django.utils import translation

from schedules.pages import policy
from schedules.previewing import Preview, preview, samples, variants_of

IMAGE_FILE = "course.svg"

# A message runs nothing, and loads nothing but pictures.
_MESSAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' https: file: data:"
_META = '<head>\n<meta http-equiv="Content-Security-Policy" content="{}">\n<meta name="referrer" content="no-referrer">'

_PREFERENCE = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(light|dark)\s*\)")
_COLOR_SCHEMES = re.compile(r"(color-scheme\s*:\s*|content=\")light dark\b")


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A preview with the names of its files beside the gallery's page: as it is sent, in each palette, as text."""

    preview: Preview
    html_file: str
    light_file: str
    dark_file: str
    text_file: str

    @property
    def size_kilobytes(self) -> float:
        """Of the HTML part, 1,000 bytes each. Gmail cuts off what is beyond 102."""
        return len(self.preview.html.encode()) / 1000

    @property
    def direction(self) -> str:
        return "rtl" if translation.get_language_info(self.preview.language)["bidi"] else "ltr"


def render(names: Sequence[str], languages: Sequence[str], site: Site | None = None) -> tuple[list[Preview], list[str]]:
    """The previews of these messages in these languages, and a line on each that its templates prevented.

    Raises `ConfigurationError` for a name or language that is not there.
    """
    previews, failures = [], []
    for name in dict.fromkeys(names):
        for language, variant in product(dict.fromkeys(languages), variants_of(name)):
            try:
                previews.append(preview(name, language, variant, site=site))
            except (TemplateDoesNotExist, TemplateSyntaxError) as error:
                failures.append(f"{name} {language} {variant}: {type(error).__name__}: {error}")
    return previews, failures


def write(directory: Path, previews: Sequence[Preview]) -> Path:
    """Write the gallery and return its page. Side effect: files of the same names in `directory` are replaced."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / IMAGE_FILE).write_text(get_template("schedules/previews/course.svg").render(), encoding="utf-8")
    entries = [_write_entry(directory, preview) for preview in previews]
    page = directory / "index.html"
    page.write_text(get_template("schedules/previews/index.html").render(_context(entries)), encoding="utf-8")
    return page


def in_palette(html: str, palette: str) -> str:
    """`html` as in a mail program that prefers the `light` or the `dark` palette, whatever the browser prefers."""
    html = _PREFERENCE.sub(lambda found: "(min-width: 0)" if found[1] == palette else "(max-width: 0)", html)
    return _COLOR_SCHEMES.sub(rf"\1{palette}", html)


def _held(html: str) -> str:
    """A message to look at, which cannot do what mail programs would not let it do either."""
    return html.replace("<head>", _META.format(_MESSAGE_POLICY), 1)


def _write_entry(directory: Path, preview: Preview) -> Entry:
    name = f"{preview.message_name}.{preview.language}.{preview.variant}"
    entry = Entry(
        preview=preview,
        html_file=f"{name}.html",
        light_file=f"{name}.light.html",
        dark_file=f"{name}.dark.html",
        text_file=f"{name}.txt",
    )
    html = preview.html.replace(samples.IMAGE_URL, IMAGE_FILE)
    for file, content in (
        (entry.html_file, html),
        (entry.light_file, _held(in_palette(html, "light"))),
        (entry.dark_file, _held(in_palette(html, "dark"))),
        (entry.text_file, preview.text),
    ):
        (directory / file).write_text(content, encoding="utf-8")
    return entry


def _context(entries: Sequence[Entry]) -> dict[str, object]:
    codes = dict.fromkeys(entry.preview.language for entry in entries)
    files = "schedules/previews/"
    return {
        "policy": policy(styles=f"{files}styles.css", script=f"{files}script.js", more="frame-src 'self' file:"),
        "entries": entries,
        "message_names": list(dict.fromkeys(entry.preview.message_name for entry in entries)),
        "languages": [(code, translation.get_language_info(code)["name"]) for code in codes],
        "variants": [(name, name.replace("_", " ")) for name in dict.fromkeys(e.preview.variant for e in entries)],
    }
