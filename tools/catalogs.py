"""Gather the app's words for translation, and check what translators made of them. No GNU gettext is needed.

`python -m tools.catalogs` brings every catalog up to date with the code (`make messages`); `python -m tools.catalogs
check [LANGUAGE ...]` says what is wrong with a language's words, and what is missing: a release waits for it
(`make complete`), the tests do not.
"""

from __future__ import annotations

import functools
import io
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract, extract_python
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation import to_locale
from django.utils.translation.template import templatize

from schedules.values.languages import RELEASED, SOURCE
from tools.translations import contradictions, faults, forms

ROOT = Path(__file__).resolve().parent.parent
LANGUAGES = tuple(code for code in RELEASED if code != SOURCE)

#: What Django's functions take: position of each string; `c` marks the context.
KEYWORDS: dict[str, Any] = {
    **DEFAULT_KEYWORDS,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext_lazy": ((1, "c"), 2, 3),
}

#: Language -> how many plural forms it has, and which of them the number `n` takes, in C as gettext reads it. These are
#: CLDR's rules without its forms for whole millions (Spanish, French, Portuguese) and for fractions, which no text of
#: the app counts. Babel and Django bring tables of their own, which change from version to version (decision 0020).
#: Source: https://www.unicode.org/cldr/charts/latest/supplemental/language_plural_rules.html
PLURALS = {
    "en": (2, "(n != 1)"),
    "ar": (6, "n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n%100>=3 && n%100<=10 ? 3 : n%100>=11 && n%100<=99 ? 4 : 5"),
    "de": (2, "(n != 1)"),
    "es": (2, "(n != 1)"),
    "fr": (2, "(n > 1)"),
    "he": (3, "n==1 ? 0 : n==2 ? 1 : 2"),
    "ja": (1, "0"),
    "pt-br": (2, "(n > 1)"),
    "zh-hans": (1, "0"),
}

#: The first entry of every catalog says which language it is in; `schedules.values.languages` asks for it.
OWN_CODE = ("en", "code of this language")


@dataclass(frozen=True)
class Domain:
    """An app with catalogs of its own: the words in its folder, less those in the folders `without`.

    Files are named as from the folder `root`.
    """

    name: str
    folder: Path
    without: tuple[str, ...] = ("locale", "migrations")
    root: Path = ROOT

    def sources(self) -> list[Path]:
        """Its modules and templates, in an order that stays."""
        found = (path for suffix in ("py", "html", "txt") for path in self.folder.rglob(f"*.{suffix}"))
        return sorted(path for path in found if not set(self.without) & set(path.relative_to(self.folder).parts))

    def po(self, language: str) -> Path:
        return self.folder / "locale" / to_locale(language) / "LC_MESSAGES" / "django.po"

    def mo(self, language: str) -> Path:
        return self.po(language).with_suffix(".mo")

    def named(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()


DOMAINS = (
    Domain("schedules", ROOT / "schedules", ("locale", "migrations", "contrib")),
    Domain("schedules_lms", ROOT / "schedules/contrib/lms"),
)


class StableCatalog(Catalog):
    """A catalog that says nothing that changes from run to run, from machine to machine or with Babel's version."""

    def __init__(self, language: str) -> None:
        if language not in PLURALS:
            raise LookupError(f"The language {language!r} has no plural forms; add them to PLURALS in {__name__}")
        super().__init__(header_comment="#", fuzzy=False)
        self.language = language

    @property
    def num_plurals(self) -> int:
        return PLURALS[self.language][0]

    @property
    def plural_expr(self) -> str:
        return PLURALS[self.language][1]

    @property
    def mime_headers(self) -> list[tuple[str, str]]:
        return [
            ("Project-Id-Version", "schedules"),
            ("Language", to_locale(self.language)),
            ("MIME-Version", "1.0"),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Transfer-Encoding", "8bit"),
            ("Plural-Forms", self.plural_forms),
        ]


def extracted(domain: Domain) -> Catalog:
    """The words of the code, with what their authors tell translators."""
    template = Catalog(charset="utf-8")
    for path in domain.sources():
        for line, words, comments, context in _words(path.suffix, path.read_bytes()):
            told = [" ".join(comments)] if comments else []
            where = [(domain.named(path), line)]
            template.add(words, locations=where, auto_comments=told, context=context)
    return template


@functools.cache
def _words(suffix: str, source: bytes) -> list[Any]:
    """(line, words, comments, context) of each. Kept, for they are asked for once per language."""
    method = extract_python if suffix == ".py" else extract_template
    options: dict[str, Any] = {"comment_tags": ["Translators:"], "strip_comment_tags": True}
    return list(extract(method, io.BytesIO(source), KEYWORDS, **options))


def extract_template(file: io.BytesIO, *rest: Any, **options: Any) -> Iterable[Any]:
    """A template's words: Django makes Python of it, whose lines must not be indented for Babel to read them."""
    python = templatize(file.read().decode())
    unindented = "\n".join(line.lstrip() for line in python.split("\n"))
    return extract_python(io.BytesIO(unindented.encode()), *rest, **options)


def read(domain: Domain, language: str) -> StableCatalog:
    """The catalog as it is stored; an empty one where there is none yet."""
    catalog, path = StableCatalog(language), domain.po(language)
    if path.exists():
        with path.open("rb") as file:
            for message in read_po(file):
                if message.id:
                    message.user_comments.clear()  # Babel takes the words of before, `#| msgid`, for a comment
                    catalog[message.id] = message
    return catalog


def updated(domain: Domain, language: str) -> StableCatalog:
    """The catalog with the words of the code: what changed a little is fuzzy, what is gone is gone."""
    catalog = read(domain, language)
    catalog.update(extracted(domain))
    catalog.obsolete.clear()
    for message in catalog:
        if (message.id, message.context) == OWN_CODE:
            message.string = language
        if not any(forms(message)):  # a word to come is not a doubtful one
            message.flags.discard("fuzzy")
    return catalog


def compiled(catalog: StableCatalog) -> bytes:
    """What Django reads: the words that are translated. Babel alone would take a plural without forms for English."""
    done = StableCatalog(catalog.language)
    for message in catalog:
        if message.id and all(forms(message)):
            done[message.id] = message
    file = io.BytesIO()
    write_mo(file, done)
    return file.getvalue()


def write(domain: Domain, language: str, catalog: StableCatalog) -> None:
    path = domain.po(language)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, catalog, width=0, ignore_obsolete=True, include_previous=True, include_lineno=False)
    domain.mo(language).write_bytes(compiled(catalog))


def check(language: str, domains: Iterable[Domain] = DOMAINS) -> list[str]:
    """What is wrong with what is translated into a language, one line each."""
    catalogs = {domain: read(domain, language) for domain in domains}
    found = [
        f"{domain.named(domain.po(language))}: {fault}"
        for domain, catalog in catalogs.items()
        for fault in faults(catalog)
    ]
    return found + [f"{language}: {fault}" for fault in contradictions(catalogs.values())]


def missing(language: str, domains: Iterable[Domain] = DOMAINS) -> list[str]:
    """What a release waits for, one line each: words of the code that a language lacks, and those that are gone."""
    found = []
    for domain in domains:
        catalog, where = read(domain, language), domain.named(domain.po(language))
        if keys(catalog) != keys(extracted(domain)):
            found.append(f"{where}: is not up to date with the code; run `make messages`")
        found += [f"{where}: {one.id!r}: is not translated" for one in catalog if one.id and not any(forms(one))]
        found += [
            f"{where}: {one.id!r}: is fuzzy, for the English changed: see that the translation is right, and take the "
            "word “fuzzy” out"
            for one in catalog
            if one.id and one.fuzzy
        ]
    return found


def keys(catalog: Catalog) -> set[tuple[Any, str | None]]:
    """What identifies each of the words: themselves (both, where there is a plural) and their context."""
    return {(message.id, message.context) for message in catalog if message.id}


def main(arguments: list[str]) -> int:
    """Update and compile every catalog, or with `check` look at some languages' (all, where none is named)."""
    if arguments[:1] == ["check"]:
        chosen = arguments[1:] or LANGUAGES
        found = [line for language in chosen for line in (*check(language), *missing(language))]
        print(*found, f"{len(found)} faults", sep="\n")  # noqa: T201
        return bool(found)
    for language in LANGUAGES:
        for domain in DOMAINS:
            catalog = updated(domain, language)
            write(domain, language, catalog)
            done = sum(all(forms(message)) and not message.fuzzy for message in catalog if message.id)
            print(f"{domain.named(domain.po(language))}: {done} of {len(catalog)} translated")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
