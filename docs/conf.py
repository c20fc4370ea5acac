"""How Sphinx builds these pages; `make docs` treats every warning as an error."""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from schedules import __version__
from schedules.conf import SETTINGS

project = "schedules"
author = "The schedules project"
release = version = __version__
language = "en"

html_theme = "furo"
html_title = f"schedules {release}"
html_show_copyright = False
html_show_sourcelink = False

exclude_patterns = ["_build"]
smartquotes = False  # the sources have the quotes they want
nitpicky = True


#: The beginning of a URL, which is no link.
ESCAPED = r"\://"


class Settings(SphinxDirective):
    """The keys of `SCHEDULES`, as `schedules.conf` declares them."""

    def run(self) -> list[nodes.Node]:
        lines: list[str] = []
        for key, setting in SETTINGS.items():
            unit = f", in {setting.unit}" if setting.unit else ""
            lines += [
                f".. confval:: {key}",
                f"   :type: {setting.rule.allowed.replace('://', ESCAPED)}{unit}",
                f"   :default: ``{setting.default!r}``",
                "",
                f"   {setting.doc}",
                "",
            ]
        return self.parse_text_to_nodes("\n".join(lines))


def setup(app: Sphinx) -> None:
    app.add_directive("schedules-settings", Settings)
