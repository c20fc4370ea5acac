"""How Sphinx builds these pages; `make docs` treats every warning as an error."""

from schedules import __version__

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
