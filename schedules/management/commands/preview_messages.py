"""manage.py preview_messages [--language CODE] [--message NAME] [--site DOMAIN] [--output DIR]."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.db import DatabaseError

from schedules import api, previewing
from schedules.conf import conf
from schedules.database.transient import is_transient
from schedules.management.base import SchedulesCommand
from schedules.message_types import messages
from schedules.previewing import Preview, gallery
from schedules.values.languages import has_words

DEFAULT_DIRECTORY = "previews"


class Command(SchedulesCommand):
    help = "Write every message, in every language and variant, to a gallery for the browser. Sends nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--language",
            action="append",
            metavar="CODE",
            help="a language to show; may be repeated; default: all that the app has words for",
        )
        parser.add_argument(
            "--message", action="append", metavar="NAME", help="a message to show; may be repeated; default: all"
        )
        parser.add_argument("--site", metavar="DOMAIN", help="show the names, logo and links of this site")
        parser.add_argument(
            "--output",
            default=DEFAULT_DIRECTORY,
            metavar="DIR",
            help=f"where to write; default: {DEFAULT_DIRECTORY}/",
        )

    def handle(self, **options: Any) -> None:
        if not options["output"].strip():
            raise CommandError("--output is empty; name a folder.")
        directory = Path(options["output"])
        try:
            conf.validate()
            site = api.find_site(options["site"]) if options["site"] else None
            previews, failures = gallery.render(
                options["message"] or sorted(messages()), options["language"] or previewing.languages(), site
            )
        except DatabaseError as error:  # the switch for debugging is asked for there
            if is_transient(error):
                raise
            raise CommandError(f"The database cannot be read ({error}); run manage.py migrate.") from error
        try:
            page = gallery.write(directory, previews)
        except (OSError, ValueError) as error:  # a path with a NUL is a ValueError
            problem = getattr(error, "strerror", None) or error
            raise CommandError(
                f"--output is {str(directory)!r}, which cannot be written to ({problem}); name a folder."
            ) from error
        if options["verbosity"] > 0:
            self._report(previews, page)
        if failures:
            raise CommandError("\n".join([f"{len(failures)} could not be rendered; mend their templates:", *failures]))

    def _report(self, previews: list[Preview], page: Path) -> None:
        self.stdout.write(f"Wrote {len(previews)} previews: open {page}")
        without = sorted({shown.language for shown in previews if not has_words(shown.language)})
        if without:
            self.stdout.write(
                f"The app has no words in {', '.join(without)}: what is shown is what such a course gets."
            )
