"""Whether a language has every sentence of a message: one that it lacks lets the whole message speak English."""

from __future__ import annotations

import ast
import gettext
import re
from collections.abc import Iterator
from pathlib import Path

import django
from django.apps import apps
from django.template import TemplateDoesNotExist, TemplateSyntaxError
from django.template.loader import get_template
from django.utils.translation import templatize, to_locale

from schedules.conf import cached_until, conf
from schedules.values.languages import SOURCE

FILES = ("subject.txt", "from_name.txt", "body.txt", "head.html", "body.html", "words.txt")

# What Django's own translator of templates makes of a tag: a call of gettext with literals.
_STRING = r"""u?(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")"""
_CALL = re.compile(rf"\b(?P<function>_|gettext|pgettext|ngettext|npgettext)\((?P<texts>{_STRING}(?:\s*,\s*{_STRING})*)")
_TEXT = re.compile(_STRING)
_OTHER_TEMPLATE = re.compile(r"""["']([\w./-]+\.(?:txt|html))["']""")

_NONE = "\0"


class _Nowhere(gettext.NullTranslations):
    """What stands behind all catalogs: no catalog has the sentence."""

    def gettext(self, message: str) -> str:  # noqa: ARG002 - stdlib's signature
        return _NONE

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:  # noqa: ARG002
        return _NONE


@cached_until("TEMPLATES", "LOCALE_PATHS", "INSTALLED_APPS")
def is_translated(message_name: str, language: str) -> bool:
    """Whether every sentence of the message's templates is in the catalogs of a language, with all that they include.

    Read once per process: catalogs and templates are its code.
    """
    if language.partition("-")[0] == SOURCE:
        return True
    catalogs = _catalogs(language)
    return all(_has(catalogs, *sentence) for path in _templates(message_name) for sentence in _sentences(path))


def _catalogs(language: str) -> gettext.NullTranslations:
    """All catalogs that Django reads for a language, and after the last of them nothing: not the default language."""
    folders: list[str | Path] = [
        *conf.locale_paths,
        *(Path(app.path) / "locale" for app in apps.get_app_configs()),
        Path(django.__file__).parent / "conf" / "locale",
    ]
    found = gettext.NullTranslations()
    for folder in folders:
        catalog = gettext.translation("django", str(folder), languages=[to_locale(language)], fallback=True)
        if isinstance(catalog, gettext.GNUTranslations):
            found.add_fallback(catalog)
    found.add_fallback(_Nowhere())
    return found


def _has(catalogs: gettext.NullTranslations, function: str, texts: tuple[str, ...]) -> bool:
    if function in ("pgettext", "npgettext"):
        context, *texts = texts  # type: ignore[assignment]
        texts = (f"{context}\x04{texts[0]}", *texts[1:])
    if function in ("ngettext", "npgettext"):
        return catalogs.ngettext(texts[0], texts[1], 2) != _NONE
    return catalogs.gettext(texts[0]) != _NONE


def _templates(message_name: str) -> Iterator[str]:
    """The message's templates, and those that they name."""
    waiting = [f"schedules/edx_ace/{message_name}/email/{file}" for file in FILES]
    seen = set(waiting)
    while waiting:
        path = waiting.pop()
        yield path
        found = [name for name in _OTHER_TEMPLATE.findall(template_source(path)) if name not in seen]
        seen.update(found)
        waiting += found


def _sentences(path: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    for call in _CALL.finditer(templatize(template_source(path))):
        texts = tuple(ast.literal_eval(text) for text in _TEXT.findall(call["texts"]))
        yield call["function"], texts


def template_source(path: str) -> str:
    """A template as it was written; empty where there is none, or not one of Django's, or it is not correct."""
    try:
        return str(getattr(getattr(get_template(path), "template", None), "source", ""))
    except (TemplateDoesNotExist, TemplateSyntaxError):
        return ""
