"""Which languages the app has words in, and which of them is nearest to the one that somebody reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from django.conf import settings
from django.conf.locale import LANG_INFO
from django.utils import translation
from django.utils.translation import pgettext

#: Code -> its own name, of each language that the app brings words in. The first is that of the sources.
RELEASED = {
    "en": "English",
    "ar": "العربية",
    "de": "Deutsch",
    "es": "Español",
    "fr": "Français",
    "he": "עברית",
    "ja": "日本語",
    "pt-br": "Português (Brasil)",
    "zh-hans": "简体中文",
}
SOURCE = next(iter(RELEASED))

#: ISO 639 renamed it in 1989; Java and Android went on saying it for decades.
_RENAMED = {"iw": "he"}


def nearest(code: str | None) -> str | None:
    """The language nearest to `code` that `LANGUAGES` has and that has words (decision 0014); `None`: none is near.

    Exact, then a more general one, then one of the same base language. A language that `LANGUAGES` has under another
    name than Django's (`zh-cn`) comes back under Django's (`zh-hans`), by which its words are found.
    """
    for released in _near(_spelled(code or "")):
        fallbacks: Sequence[str] = LANG_INFO.get(released, {}).get("fallback", ())
        for spoken in (released, *fallbacks):
            if has_words(spoken):
                return spoken
    return None


def has_words(code: str) -> bool:
    """Whether the app's words come out in this language, and not in English or that of `LANGUAGE_CODE`."""
    with translation.override(code):
        # Translators: not shown. The code of the language that you translate to, such as pt-br. By it the app knows
        # that it has words in that language.
        found = pgettext("code of this language", "en")
    return code == found or code.startswith(f"{found}-")


def _spelled(code: str) -> str:
    """As Django spells codes: `pt_BR` is `pt-br`."""
    base, hyphen, rest = code.strip().replace("_", "-").lower().partition("-")
    return _RENAMED.get(base, base) + hyphen + rest


def _near(code: str) -> Iterator[str]:
    """The codes of `LANGUAGES` that may stand for `code`, the nearest first."""
    with suppress(LookupError, ValueError):  # not there, or too long to be looked for
        yield translation.get_supported_language_variant(code)
    base = code.partition("-")[0]
    yield from (code for code, _ in settings.LANGUAGES if code.partition("-")[0] == base)
