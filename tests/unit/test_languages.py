"""In which language a message speaks: the nearest that is released and has words."""

import re
from io import StringIO
from pathlib import Path
from textwrap import dedent

import pytest
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from django.conf import global_settings
from django.contrib.sites.models import Site
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from schedules.sending.context import message_language
from schedules.sites import SiteValues
from schedules.values import languages
from schedules.values.data import Course, Learner
from schedules.values.languages import RELEASED, nearest
from tools.catalogs import DOMAINS, extracted, keys

EVERY_LANGUAGE_OF_DJANGO = global_settings.LANGUAGES


@pytest.fixture(params=["the nine", "every language of Django"])
def host_languages(request, settings):
    if request.param != "the nine":
        settings.LANGUAGES = EVERY_LANGUAGE_OF_DJANGO
    return settings


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        *((code, code) for code in RELEASED),
        ("es-419", "es"),
        ("fr-ch", "fr"),
        ("de-DE", "de"),
        ("ja_JP", "ja"),
        ("ar-eg", "ar"),
        ("pt", "pt-br"),
        ("pt-PT", "pt-br"),
        ("pt_BR", "pt-br"),
        ("zh", "zh-hans"),
        ("zh-cn", "zh-hans"),
        ("zh-sg", "zh-hans"),
        ("zh_CN", "zh-hans"),
        ("zh-Hans-CN", "zh-hans"),
        ("zh-tw", "zh-hans"),
        ("zh-hant", "zh-hans"),
        ("iw", "he"),
        ("iw-IL", "he"),
        ("he-il", "he"),
        ("en-us", "en"),
        (" ES ", "es"),
        ("th", None),
        ("tlh", None),
        ("zhuang", None),
        ("", None),
        (None, None),
        ("-", None),
        ("not a language", None),
        ("x" * 600, None),
    ],
)
def test_a_code_is_taken_for_the_nearest_language_that_has_words(code, expected, host_languages):
    assert nearest(code) == expected


def test_a_variant_of_the_host_keeps_its_dates_and_takes_the_words_of_the_language(settings):
    settings.LANGUAGES = EVERY_LANGUAGE_OF_DJANGO
    assert nearest("es-MX") == "es-mx"
    assert nearest("en-gb") == "en-gb"
    assert nearest("en-nz") == "en"


def test_a_language_that_the_host_has_under_an_old_name_is_spoken_under_djangos(settings):
    settings.LANGUAGES = [("en", "English"), ("zh-cn", "Chinese"), ("es-419", "Spanish")]
    assert nearest("zh-cn") == nearest("zh-hans") == "zh-hans"
    assert nearest("es-419") == nearest("es") == "es-419"


def test_a_language_that_the_host_has_not_is_not_spoken(settings):
    settings.LANGUAGES = [("en", "English"), ("he", "Hebrew")]
    assert nearest("es") is None
    assert nearest("he") == "he"


def test_the_words_of_the_platforms_language_are_not_taken_for_those_of_another(settings):
    settings.LANGUAGES, settings.LANGUAGE_CODE = EVERY_LANGUAGE_OF_DJANGO, "es"
    assert nearest("th") is None
    assert nearest("es") == "es"


def compile_catalog(folder, language, text):
    """What the how-to does, for one catalog in a folder that is in `LOCALE_PATHS`."""
    path = folder / language / "LC_MESSAGES/django.mo"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        write_mo(file, read_po(StringIO(text)))


def test_a_host_adds_a_language_by_a_catalog(settings, tmp_path):
    compile_catalog(tmp_path, "th", 'msgctxt "code of this language"\nmsgid "en"\nmsgstr "th"\n')
    settings.LANGUAGES, settings.LOCALE_PATHS = EVERY_LANGUAGE_OF_DJANGO, [str(tmp_path)]
    assert nearest("th-TH") == "th"
    assert nearest("vi") is None


def test_a_host_changes_a_word_as_the_how_to_says(settings, tmp_path):
    page = (Path(__file__).parents[2] / "docs/howto/translate.rst").read_text(encoding="utf-8")
    sample = dedent(re.search(r"code-block:: po\n\n((?: {6}.*\n|\n)+)", page)[1])
    assert ("Keep learning", None) in keys(extracted(DOMAINS[0])) & keys(read_po(StringIO(sample)))
    compile_catalog(tmp_path, "de", sample)
    settings.LOCALE_PATHS = [str(tmp_path)]
    with translation.override("de"):
        assert translation.gettext("Keep learning") == "Weiter geht’s"
    assert nearest("de") == "de"


@given(st.text(max_size=20) | st.from_regex(r"\A[a-zA-Z]{2,3}([-_][a-zA-Z0-9]{2,8}){0,3}\Z"))
def test_whatever_a_host_says_gives_a_language_with_words_or_none(code):
    found = nearest(code)
    assert found is None or (found in RELEASED and languages.has_words(found))


# The order of the sources --------------------------------------------------------------------------


def spoken(course=None, learner=None, site=None):
    values = {} if site is None else {"LANGUAGE_CODE": site}
    return message_language(
        Course(id="course-v1:M+1+1", org="M", name="Garden", start=None, language=course),
        Learner(id=1, email="alice@example.com", language=learner),
        SiteValues(site=Site(domain="example.com"), values=values),
    )


@pytest.mark.parametrize(
    ("course", "learner", "site", "expected"),
    [
        ("es", "fr", "de", "es"),
        (None, "fr", "de", "fr"),
        ("", "fr", "de", "fr"),
        (None, None, "de", "de"),
        (None, None, None, "en"),
        ("th", "fr", "de", "fr"),
        ("th", "vi", "de", "de"),
        ("th", "vi", "tlh", "en"),
        ("zh-tw", "ja", None, "zh-hans"),
    ],
)
def test_the_courses_language_comes_first_then_the_learners_then_the_sites(course, learner, site, expected):
    assert spoken(course, learner, site) == expected


def test_where_no_source_has_words_the_message_is_english_throughout(settings):
    settings.LANGUAGES, settings.LANGUAGE_CODE = EVERY_LANGUAGE_OF_DJANGO, "th"
    assert spoken("th", "th", "th") == "en"
