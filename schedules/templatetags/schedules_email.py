"""What the templates of the e-mails need beyond Django's tags: names in two directions, and CSS.

Stylesheets and colors are templates like all others, so that a host overrides them alike. What they say is worked
out once for each text they render to, since that hardly ever changes from message to message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import cast

from css_inline import CSSInliner
from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from schedules.values.markup import isolated
from schedules.values.text import QuietText

register = template.Library()

COLORS = "schedules/edx_ace/common/colors.txt"

_FILLER = mark_safe("&#847;&zwnj;&nbsp;" * 30)  # noqa: S308 - a constant
_CACHED_TEXTS = 64
_COLOR = re.compile(r"var\(--([\w-]+)\)")

# A comment, such as those for Outlook, and what is no markup within: as they are. A tag: with its attributes.
_MARKUP = re.compile(r"<!--.*?-->|<(style|script)\b.*?</\1>|(?P<tag><[A-Za-z](?:\"[^\"]*\"|[^\">])*>)", re.DOTALL)
_BARE = re.compile(r"=\"[^\"<>]*[<>]")  # seldom: then one looks where it stands
_BRACKETS = re.compile(r"\"[^\"]*[<>][^\"]*\"")

# Reads no file and no network, whatever the HTML names.
_inliner = CSSInliner(inline_style_tags=False, load_remote_stylesheets=False)


register.filter(isolated)


class _QuietMarkup(QuietText, SafeString):
    """Markup that may hold a learner's name."""


@register.filter
def in_span(text: str, css_class: str = "") -> SafeString:
    """The same in HTML, where the mail program finds out which direction a name has."""
    attributes = format_html(' class="{}"', css_class) if css_class else ""
    return _QuietMarkup(format_html('<span dir="auto"{}>{}</span>', attributes, text))


@register.simple_tag(takes_context=True)
def colors(context: template.Context) -> Mapping[str, str]:
    """Name -> color on a light screen, for the attributes that old programs read in place of styles."""
    return _palettes(_rendered(COLORS, context))[0]


@register.simple_tag(takes_context=True)
def dark_rules(context: template.Context, stylesheet: str, within: str = "") -> SafeString:
    """A stylesheet, one rule on each line, in the colors of a dark screen; `within` is put before each selector."""
    css = _colored(_rendered(stylesheet, context), _rendered(COLORS, context), is_dark=True, within=within)
    return mark_safe(css)  # noqa: S308 - templates only


@register.simple_tag
def filler() -> SafeString:
    """Invisible characters that fill the line after the subject, so that the page's header does not run on in it."""
    return _FILLER


@register.simple_block_tag(takes_context=True)
def styled(context: template.Context, content: str, stylesheet: str) -> SafeString:
    """`{% styled "styles.css" %}…{% endstyled %}`: the rules of that template, written into the style attributes.

    Decision record 0010 says why.
    """
    css = _colored(_rendered(stylesheet, context), _rendered(COLORS, context))
    html = _inliner.inline_fragment(content, css)
    return mark_safe(escaped_attributes(html))  # noqa: S308 - escaped before


def escaped_attributes(html: str) -> str:
    """css-inline's HTML with the `<` and `>` in its attributes escaped, as they were before.

    HTML allows them as they stand, and css-inline writes them so; but what mail programs and gateways make of them is
    anybody's guess. It writes all attributes in double quotes, and text never has a bare `<`.
    """
    if not _BARE.search(html):
        return html
    return _MARKUP.sub(lambda found: _BRACKETS.sub(_escaped, found[0]) if found["tag"] else found[0], html)


def _escaped(value: re.Match[str]) -> str:
    return value[0].replace("<", "&lt;").replace(">", "&gt;")


def _rendered(name: str, context: template.Context) -> str:
    """A template of the same engine in the same context, as `{% include %}` does."""
    outer = cast(template.Template, context.template)  # never `None` while a template renders
    with context.push():
        return str(outer.engine.get_template(name).render(context))


@lru_cache(_CACHED_TEXTS)
def _palettes(text: str) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Name -> color, on a light screen and on a dark one; a later line of the same name wins."""
    rows = [line.split() for line in text.splitlines() if line.strip()]
    for row in rows:
        if len(row) != 3:
            raise template.TemplateSyntaxError(
                f"{COLORS} has the line {' '.join(row)!r}; write a name, a color for light screens, one for dark ones."
            )
    return {name: light for name, light, _ in rows}, {name: dark for name, _, dark in rows}


@lru_cache(_CACHED_TEXTS)
def _colored(css: str, colors_text: str, *, is_dark: bool = False, within: str = "") -> str:
    """The stylesheet with its `var(--name)` replaced: mail programs do not know them."""
    palette = _palettes(colors_text)[is_dark]

    def color(found: re.Match[str]) -> str:
        if found[1] not in palette:
            raise template.TemplateSyntaxError(f"There is no color {found[1]!r}; {COLORS} has {', '.join(palette)}.")
        return palette[found[1]]

    rules = [line.strip() for line in _COLOR.sub(color, css).splitlines() if line.strip()]
    return "\n".join(_within(within, rule) if within else rule for rule in rules)


def _within(outer: str, rule: str) -> str:
    selectors, brace, declarations = rule.partition("{")
    return ", ".join(f"{outer} {selector.strip()}" for selector in selectors.split(",")) + f" {brace}{declarations}"
