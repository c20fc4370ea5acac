"""Words that staff write into messages: a little Markdown and a few placeholders, checked, then made HTML and text.

A placeholder such as `{course}` stands for a value that differs from message to message. Values are put in
after the Markdown was read, so that neither braces nor Markdown nor HTML in a value does anything.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import nh3
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.utils.html import escape
from django.utils.text import capfirst
from django.utils.translation import get_language_bidi
from django.utils.translation import gettext_lazy as _
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode

from schedules.values.text import QuietText, one_line

#: Every placeholder. Of them a message may use those of its message type.
PLACEHOLDERS = ("course", "platform", "name", "week", "deadline")

#: The placeholder whose value may be empty, for a host need not know how a learner is called.
_MAY_BE_EMPTY = "name"

#: Longer texts are not read: Markdown may take a time that grows with the square of its length.
MAX_CHARACTERS = 3000
_check_length = MaxLengthValidator(MAX_CHARACTERS)

_PLACEHOLDER = re.compile(r"((?:(?<!\s)\s+)?)\{(\w+)\}")
_FIRST_STRONG_ISOLATE, _POP_DIRECTIONAL_ISOLATE = "\u2068", "\u2069"
_IN_BRACES = re.compile(r"\{([^{}]*)\}")
_PUNCTUATION_AT_START = re.compile(r"^[\s,;:.!،؛、，：！。]+")

# What Markdown knows and messages do not: token type -> what staff call it.
_REFUSED = {
    "heading_open": _("headings"),
    "image": _("images"),
    "fence": _("code"),
    "code_inline": _("code"),
    "blockquote_open": _("quotations"),
    "hr": _("lines across the page"),
}
_HTML_TOKENS = {"html_block", "html_inline"}

_TAGS = {"p", "br", "strong", "em", "a", "ul", "ol", "li", "span"}
_ATTRIBUTES = {"a": {"href"}, "p": {"dir"}, "ul": {"dir"}, "ol": {"dir", "start"}, "span": {"dir"}}
_SCHEMES = {"https", "mailto"}


class NoValueError(Exception):
    """Words name a placeholder for which this message has no value. Say other words."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no value for {{{name}}}")
        self.name = name


class Markdown:
    """Some lines of Markdown, read once and filled for each message. A line break is kept as it was typed.

    Raises `ValidationError` if they are too long.
    """

    def __init__(self, source: str) -> None:
        _check_length(source)
        self._source = source

    def html(self, values: Mapping[str, str]) -> str:
        """Paragraphs and lists of plain, semantic HTML that needs no escaping. Raises `NoValueError`, as `fill()`."""
        html = _writer.renderer.render(self._tokens, _writer.options, {"values": values})
        return nh3.clean(html, tags=_TAGS, attributes=_ATTRIBUTES, url_schemes=_SCHEMES).strip()

    def text(self, values: Mapping[str, str]) -> str:
        """The same as plain text: a blank line between paragraphs, links as “text (URL)”. Raises `NoValueError`."""
        return _blocks(SyntaxTreeNode(self._tokens), values)

    @cached_property
    def _tokens(self) -> Sequence[Token]:
        tokens = _writer.parse(self._source)
        for token in tokens:
            # A browser asks the outermost block alone in which direction it runs.
            if token.level == 0 and token.type.endswith("_open"):
                token.attrSet("dir", "auto")
        return tokens


def fill(text: str, values: Mapping[str, str]) -> str:
    """`text` with its placeholders' values, each as it stands. Raises `NoValueError` for one without a value.

    An empty value takes the blank before it along, or the punctuation after it where the text begins with it.
    """
    return "".join(part for part, _is_value in _filled(text, values))


def isolated(text: str) -> str:
    """A name in plain text, whose direction is kept apart from the sentence's where they differ (Unicode UAX #9)."""
    foreign = {"L"} if get_language_bidi() else {"R", "AL"}
    if foreign.isdisjoint(map(unicodedata.bidirectional, text)):
        return text
    return QuietText(f"{_FIRST_STRONG_ISOLATE}{text}{_POP_DIRECTIONAL_ISOLATE}")


def fill_line(text: str, values: Mapping[str, str]) -> str:
    """`fill()` for what must be one line, such as a subject."""
    return one_line(fill(text, values))


def check_line(text: str, allowed: Collection[str]) -> None:
    """Raises `ValidationError` unless `text` is one line of plain text, its placeholders among `allowed`."""
    _check_length(text)
    problems = [*_control_characters(text, ""), *_placeholders(text, allowed)]
    problems += _html(_reader.parseInline(text))
    if problems:
        raise ValidationError(problems)


def check_markdown(text: str, allowed: Collection[str]) -> None:
    """Raises `ValidationError` unless messages can hold this Markdown, its placeholders among `allowed`."""
    _check_length(text)
    tokens = _reader.parse(text)
    problems = [*_control_characters(text, "\n\t"), *_placeholders(text, allowed), *_html(tokens)]
    refused = dict.fromkeys(str(_REFUSED[token.type]) for token in _every(tokens) if token.type in _REFUSED)
    if refused:
        problem = _(
            "Not allowed in a message: %(what)s. Use paragraphs, lists, links, *emphasis* and **strong emphasis**."
        )
        problems.append(ValidationError(problem, params={"what": ", ".join(refused)}))
    problems += _links(tokens)
    if problems:
        raise ValidationError(problems)


def _is_link(url: str) -> bool:
    """Whether messages may link there: an `https` URL with a host, or an address to write to."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    if "{" in url or "%7B" in url:
        return False
    return (parts.scheme == "https" and bool(host)) or (parts.scheme == "mailto" and "@" in parts.path)


class _Reader(MarkdownIt):
    """Reads what is to be checked with everything that Markdown knows, so that one can say what was meant."""

    def __init__(self, *, html: bool = True) -> None:
        super().__init__("commonmark", {"html": html, "breaks": True})
        self.disable(["code", "reference"])  # an indented line is no code, and what is typed does not vanish

    def validateLink(self, url: str) -> bool:  # noqa: N802, ARG002 - the parser's name
        return True


class _Writer(_Reader):
    """Makes HTML, with the values in `env["values"]`."""

    def __init__(self) -> None:
        super().__init__(html=False)
        self.add_render_rule("text", _write_text)

    def validateLink(self, url: str) -> bool:  # noqa: N802 - the parser's name
        return _is_link(url)


def _write_text(_renderer: Any, tokens: Sequence[Token], index: int, _options: Any, env: Mapping[str, Any]) -> str:
    """A value keeps its own direction, as in the templates."""
    parts = _filled(tokens[index].content, env["values"])
    return "".join(f'<span dir="auto">{escape(part)}</span>' if is_value else escape(part) for part, is_value in parts)


_reader, _writer = _Reader(), _Writer()


def _filled(text: str, values: Mapping[str, str]) -> list[tuple[str, bool]]:
    """The parts of a text, each with whether it is a value."""
    parts: list[tuple[str, bool]] = []
    end = 0
    begins_empty = False
    for match in _PLACEHOLDER.finditer(text):
        blank, name = match.groups()
        value = values.get(name)
        if value is None or (not value and name != _MAY_BE_EMPTY):
            raise NoValueError(name)
        parts.append((text[end : match.start()], False))
        parts += [(blank, False), (value, True)] if value else []
        begins_empty = begins_empty or (not value and not blank and match.start() == 0)
        end = match.end()
    parts.append((text[end:], False))
    parts = [part for part in parts if part[0]]
    if begins_empty and parts and not parts[0][1]:
        parts[0] = (capfirst(_PUNCTUATION_AT_START.sub("", parts[0][0])), False)
    return parts


# Plain text ---------------------------------------------------------------------------------------


def _blocks(node: SyntaxTreeNode, values: Mapping[str, str], between: str = "\n\n") -> str:
    return between.join(filter(None, (_block(child, values) for child in node.children)))


def _block(node: SyntaxTreeNode, values: Mapping[str, str]) -> str:
    if node.type in {"bullet_list", "ordered_list"}:
        return _list(node, values)
    return _line(node, values).strip()


def _list(node: SyntaxTreeNode, values: Mapping[str, str]) -> str:
    lines = []
    first = int(node.attrs.get("start", 1))
    for number, item in enumerate(node.children, start=first):
        mark = f"{number}. " if node.type == "ordered_list" else "* "
        lines.append(mark + _blocks(item, values, "\n").replace("\n", "\n" + " " * len(mark)))
    return "\n".join(lines)


def _line(node: SyntaxTreeNode, values: Mapping[str, str]) -> str:
    match node.type:
        case "text":
            parts = _filled(node.content, values)
            return "".join(isolated(part) if is_value else part for part, is_value in parts)
        case "softbreak" | "hardbreak":
            return "\n"
        case "link":
            url = str(node.attrs["href"]).removeprefix("mailto:")
            text = _lines(node, values).removeprefix("mailto:")
            return text if text == url else f"{text} ({url})"
        case _:
            return _lines(node, values) if node.children else node.content if node.token else ""


def _lines(node: SyntaxTreeNode, values: Mapping[str, str]) -> str:
    return "".join(_line(child, values) for child in node.children)


# Mistakes -----------------------------------------------------------------------------------------


def _every(tokens: Iterable[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _every(token.children or ())


def _control_characters(text: str, allowed: str) -> Iterator[ValidationError]:
    found = [
        letter for letter in text if letter not in allowed and unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"}
    ]
    if found and not allowed and set(found) <= set("\r\n\x0b\x0c\x85\u2028\u2029"):
        yield ValidationError(_("Write one line, without a line break."))
    elif found:
        problem = _("The text contains a control character: %(found)s. Remove it.")
        yield ValidationError(problem, params={"found": f"U+{ord(found[0]):04X}"})


def _placeholders(text: str, allowed: Collection[str]) -> Iterator[ValidationError]:
    names = ", ".join(f"{{{name}}}" for name in allowed)
    for name in dict.fromkeys(_IN_BRACES.findall(text)):
        if name not in allowed:
            problem = _("This message has no placeholder %(name)s. Choose from: %(allowed)s.")
            yield ValidationError(problem, params={"name": f"{{{name}}}", "allowed": names})
    if re.search("[{}]", _IN_BRACES.sub("", text)):
        problem = _("A brace has no partner or no placeholder. Use braces only around a placeholder: %(allowed)s.")
        yield ValidationError(problem, params={"allowed": names})


def _html(tokens: Iterable[Token]) -> Iterator[ValidationError]:
    tags = [token.content.strip() for token in _every(tokens) if token.type in _HTML_TOKENS]
    if tags:
        problem = _("HTML is not allowed here: %(tag)s. Write plain text.")
        yield ValidationError(problem, params={"tag": tags[0].partition("\n")[0][:60]})


def _links(tokens: Iterable[Token]) -> Iterator[ValidationError]:
    for token in _every(tokens):
        if token.type == "link_open" and not _is_link(url := str(token.attrs["href"])):
            problem = _(
                "The link to %(url)s does not work in a message. Write it in full, beginning with https:// or mailto:."
            )
            if "%7B" in url or "{" in url:
                problem = _("The link to %(url)s contains a placeholder. Use placeholders only in the text.")
            yield ValidationError(problem, params={"url": url[:200]})
        if token.type == "text" and "](" in token.content:
            yield ValidationError(_("A link is incomplete. Write [text](https://…), without a space in the address."))
        types = [child.type for child in token.children or ()]
        if ("link_open", "link_close") in pairwise(types):
            yield ValidationError(_("A link has no text. Write [text](https://…)."))
