"""The command preview_messages: what it writes, what it says and what it refuses."""

from __future__ import annotations

import copy
from io import StringIO
from itertools import product

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from schedules import previewing
from schedules.contrib.lms.models import SiteConfiguration
from schedules.message_types import messages
from schedules.previewing import gallery, preview, variants_of
from tests.emails import without_uuids
from tests.world import open_site

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(tmp_path):
    """A function that runs the command and returns what it said; the files are in the folder `run.folder`."""

    def command(**options):
        said = StringIO()
        call_command("preview_messages", stdout=said, output=str(command.folder), **options)
        return said.getvalue()

    command.folder = tmp_path / "new" / "previews"
    return command


@pytest.mark.slow
def test_it_writes_every_message_in_every_variant_and_says_how_many(run, email_channel):
    expected = [
        f"{name}.{language}.{variant}"
        for name, language in product(messages(), previewing.languages())
        for variant in variants_of(name)
    ]
    assert run() == f"Wrote {len(expected)} previews: open {run.folder / 'index.html'}\n"
    names = {path.name for path in run.folder.iterdir()}
    files = {f"{name}{ending}" for name in expected for ending in (".html", ".light.html", ".dark.html", ".txt")}
    assert names == {"index.html", "course.svg", *files}
    page = (run.folder / "index.html").read_text()
    assert [file for file in files if f'"{file}"' not in page] == []
    assert email_channel == []


@pytest.mark.slow
def test_it_writes_what_is_asked_for(run):
    said = run(message=["courseupdate", "courseupdate"], language=["en", "he"])
    assert said.startswith(f"Wrote {2 * len(variants_of('courseupdate'))} previews")
    assert "no words" not in said
    names = {path.name.split(".")[0] for path in run.folder.glob("*.txt")}
    assert names == {"courseupdate"}
    page = (run.folder / "index.html").read_text()
    assert '<pre lang="he" dir="rtl"' in page
    assert run(verbosity=0) == ""


def test_it_says_which_languages_have_no_words(run, settings):
    settings.LANGUAGES = [("en", "English"), ("nl", "Dutch")]
    said = run(message=["courseupdate"], language=["en", "nl"])
    assert "The app has no words in nl: what is shown is what such a course gets." in said
    in_dutch, in_english = (run.folder / f"courseupdate.{code}.one_course.txt" for code in ("nl", "en"))
    assert without_uuids(in_dutch.read_text()) == without_uuids(in_english.read_text())


def test_each_file_holds_what_its_name_says(run):
    run(message=["recurringnudge_day3"])
    shown = preview("recurringnudge_day3", "en")
    written = (run.folder / "recurringnudge_day3.en.one_course.txt").read_text()
    assert without_uuids(written) == without_uuids(shown.text)
    assert "prefers-color-scheme" in (run.folder / "recurringnudge_day3.en.one_course.html").read_text()
    for palette in ("light", "dark"):
        html = (run.folder / f"recurringnudge_day3.en.one_course.{palette}.html").read_text()
        assert "prefers-color-scheme" not in html
        assert f'name="color-scheme" content="{palette}"' in html


def test_a_copy_in_a_palette_has_no_other():
    css = "@media (prefers-color-scheme: dark) {} @media screen and (prefers-color-scheme:light) {}"
    assert gallery.in_palette(css, "dark") == "@media (min-width: 0) {} @media screen and (max-width: 0) {}"
    assert gallery.in_palette(css, "light") == "@media (max-width: 0) {} @media screen and (min-width: 0) {}"
    assert gallery.in_palette(":root { color-scheme: light dark; }", "dark") == ":root { color-scheme: dark; }"


def test_it_shows_a_site_as_it_is_configured(run):
    site = open_site("campus.example.com")
    SiteConfiguration.objects.create(site=site, enabled=True, site_values={"platform_name": "Campus & Co."})
    run(message=["courseupdate"], site="CAMPUS.example.com")
    assert "Campus &amp; Co." in (run.folder / "courseupdate.en.one_course.html").read_text()


@pytest.mark.parametrize(
    ("options", "refusal"),
    [
        ({"message": ["nonesuch"]}, "There is no message 'nonesuch'. There are: courseupdate, "),
        ({"language": ["xx"]}, "There is no language 'xx'. There are: "),
        ({"site": "nowhere.example.com"}, "There is no site 'nowhere.example.com'. Sites: "),
    ],
)
def test_it_refuses_what_is_not_there_and_says_what_is(run, options, refusal):
    with pytest.raises(CommandError) as raised:
        run(**options)
    assert str(raised.value).startswith(refusal)
    assert not run.folder.exists()


def test_an_empty_output_is_not_the_current_folder():
    with pytest.raises(CommandError, match="--output is empty; name a folder"):
        call_command("preview_messages", output=" ")


def test_it_refuses_a_folder_that_cannot_be_written(run):
    run.folder.parent.mkdir()
    run.folder.write_text("a file")
    with pytest.raises(CommandError, match=r"--output is .* cannot be written to .*; name a folder"):
        run(message=["courseupdate"])


def test_a_template_that_breaks_does_not_hide_the_others(run, settings, tmp_path):
    broken = tmp_path / "schedules/edx_ace/courseupdate/email/subject.txt"
    broken.parent.mkdir(parents=True)
    broken.write_text("{% nonesuch %}")
    templates = copy.deepcopy(settings.TEMPLATES)
    templates[0]["DIRS"] = [tmp_path]
    settings.TEMPLATES = templates
    with pytest.raises(CommandError) as raised:
        run(message=["courseupdate", "upgradereminder"], language=["en"])
    count = len(variants_of("courseupdate"))
    assert str(raised.value).startswith(f"{count} could not be rendered; mend their templates:\ncourseupdate en one_")
    assert "nonesuch" in str(raised.value)
    assert len(list(run.folder.glob("*.txt"))) == len(variants_of("upgradereminder"))


def test_a_database_without_tables_is_named(run):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE waffle_flag RENAME TO elsewhere")
    with pytest.raises(CommandError, match=r"no such table.*manage\.py migrate"):
        run()
