"""What can be wrong with translations that a reader of English would not notice."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from gettext import c2py

from babel.messages.catalog import Catalog, Message

#: `%(name)s` with its conversion, `%s`, and `{name}`.
PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[a-z%]|\{\w*\}")

#: The one that decides about the plural. A sentence for one number alone may do without it: “one more course”.
COUNT = re.compile(r"%\(\w*count\)[a-z]")

#: What would end an attribute, begin a tag or an entity: translations stand in HTML as they are.
HOSTILE = re.compile(r"""["'<>]|&(?!\s)""")


def forms(message: Message) -> tuple[str, ...]:
    """The translation in each plural form; one where there is no plural."""
    return tuple(message.string) if isinstance(message.string, list | tuple) else (message.string or "",)


def plural_index(catalog: Catalog, number: int) -> int:
    """Which plural form a number takes."""
    return _plural_rule(catalog.plural_expr)(number)


#: Building it takes longer than asking it.
_plural_rule = functools.cache(c2py)


def faults(catalog: Catalog) -> list[str]:
    """One line for each fault of what is translated, with the words that it is about; empty when all is well."""
    words = [message for message in catalog if message.id]
    return [f"{message.id!r}: {fault}" for message in words for fault in _faults(catalog, message)]


def contradictions(catalogs: Iterable[Catalog]) -> list[str]:
    """Words that several catalogs translate, and not alike: Django would take the same one everywhere."""
    seen: dict[tuple[object, str | None], tuple[str, ...]] = {}
    words = [message for catalog in catalogs for message in catalog if message.id and any(forms(message))]
    return [
        f"{message.id!r}: is {said} in one catalog and {forms(message)} in another"
        for message in words
        if (said := seen.setdefault((message.id, message.context), forms(message))) != forms(message)
    ]


def _faults(catalog: Catalog, message: Message) -> Iterator[str]:
    said = forms(message)
    if not any(said) or message.fuzzy:  # not in use, so nothing is wrong; tools.catalogs says what is missing
        return
    if message.pluralizable and len(said) != catalog.num_plurals:
        yield f"has {len(said)} plural forms; {catalog.num_plurals} are needed"
        return
    english = message.id[1] if message.pluralizable else message.id
    for index, text in enumerate(said):
        may_omit_count = message.pluralizable and _is_for_one_number(catalog, index)
        yield from (f"{fault}: {text!r}" for fault in _text_faults(english, text, may_omit_count=may_omit_count))


def _text_faults(english: str, text: str, *, may_omit_count: bool) -> Iterator[str]:
    if not text:
        yield "lacks a plural form"
        return
    wanted, found = set(PLACEHOLDER.findall(english)), set(PLACEHOLDER.findall(text))
    missing = {name for name in wanted - found if not (may_omit_count and COUNT.fullmatch(name))}
    if missing or found - wanted:
        yield f"has the placeholders {sorted(found)} and needs {sorted(wanted)}"
    if _edges(text) != _edges(english):
        yield "begins or ends with other blanks than the English"
    if text.count("\n") != english.count("\n"):
        yield "has other line breaks than the English"
    if hostile := sorted(set(HOSTILE.findall(text)) - set(HOSTILE.findall(english))):
        yield f"has {' '.join(hostile)}, which means something in HTML; take the quotes of the language"


def _edges(text: str) -> tuple[str, str]:
    """The blanks that a text begins and ends with."""
    return text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]


def _is_for_one_number(catalog: Catalog, index: int) -> bool:
    """Whether a plural form stands for a single number, as Arabic's for two does."""
    return sum(plural_index(catalog, number) == index for number in range(200)) == 1
