"""Previews as files that a browser shows: one page that lists them all, with each by itself beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

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


def _write_entry(directory: Path, preview: Preview) -> dict[str, Any]:
    """Write a preview as it is sent, in each palette and as text; returns what the gallery's page says of it."""
    name = f"{preview.message_name}.{preview.language}.{preview.variant}"
    html = preview.html.replace(samples.IMAGE_URL, IMAGE_FILE)
    for ending, content in (
        ("html", html),
        ("light.html", _held(in_palette(html, "light"))),
        ("dark.html", _held(in_palette(html, "dark"))),
        ("txt", preview.text),
    ):
        (directory / f"{name}.{ending}").write_text(content, encoding="utf-8")
    return {
        "preview": preview,
        "name": name,
        "size_kilobytes": len(preview.html.encode()) / 1000,  # 1,000 bytes each; Gmail cuts off what is beyond 102
        "direction": "rtl" if translation.get_language_info(preview.language)["bidi"] else "ltr",
    }


def _context(entries: Sequence[dict[str, Any]]) -> dict[str, object]:
    previews = [entry["preview"] for entry in entries]
    codes = dict.fromkeys(preview.language for preview in previews)
    files = "schedules/previews/"
    return {
        "policy": policy(styles=f"{files}styles.css", script=f"{files}script.js", more="frame-src 'self' file:"),
        "entries": entries,
        "message_names": list(dict.fromkeys(preview.message_name for preview in previews)),
        "languages": [(code, translation.get_language_info(code)["name"]) for code in codes],
        "variants": [(name, name.replace("_", " ")) for name in dict.fromkeys(preview.variant for preview in previews)],
    }
