"""The pages of the documentation, and what stands on them."""

import re
from functools import cache
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(path for path in [*DOCS.rglob("*.rst"), *ROOT.glob("*.rst")] if "_build" not in path.parts)
PAGE_IDS = [str(path.relative_to(ROOT)) for path in PAGES]

FIRST_CELL = re.compile(r"^ *\* - ``([^`\n]+)``$", re.MULTILINE)


@cache
def page(name):
    return (DOCS / f"{name}.rst").read_text(encoding="utf-8")


def part(name, heading):
    """What stands on a page under a heading, up to the next one of its kind."""
    _, found, rest = page(name).partition(f"\n{heading}\n{'-' * len(heading)}\n")
    assert found, f"{name} has no heading {heading!r}"
    return re.split(r"\n[^\n]+\n-{3,}\n", rest)[0]


def first_cells(text):
    """The literals that begin the rows of a table."""
    return FIRST_CELL.findall(text)


def code_blocks(text, language):
    """The dedented blocks of code in a language."""
    blocks = re.findall(
        rf"^( *)\.\. code-block:: {language}\n(?:\1 +:\w+:.*\n)*\n((?:\1 +[^\n]*\n|\n)+)", text, re.MULTILINE
    )
    return [dedent(block) for _, block in blocks]
