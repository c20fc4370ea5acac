"""The catalogs hold the code's words, and their translations hold together."""

import re
from io import BytesIO

import pytest
from babel.messages.mofile import read_mo
from django.conf import settings
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from schedules.values.languages import RELEASED
from tools import catalogs
from tools.catalogs import DOMAINS, LANGUAGES, PLURALS, StableCatalog, check, compiled, extracted, keys, read, updated
from tools.translations import contradictions, faults, plural_index

BOTH = [pytest.param(domain, language, id=f"{domain.name}-{language}") for domain in DOMAINS for language in LANGUAGES]


# The code's words ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("domain", "language"), BOTH)
def test_what_django_reads_is_what_translators_wrote(domain, language):
    assert domain.mo(language).read_bytes() == compiled(read(domain, language)), "run `make messages`"
    assert read_mo(BytesIO(domain.mo(language).read_bytes())).num_plurals == StableCatalog(language).num_plurals


def test_each_app_has_catalogs_for_the_released_languages_and_no_others():
    for domain in DOMAINS:
        folders = {path.name for path in (domain.folder / "locale").iterdir()}
        assert folders == {translation.to_locale(language) for language in LANGUAGES}
    assert {*LANGUAGES, "en"} == set(RELEASED) == dict(settings.LANGUAGES).keys()


def test_words_of_templates_come_with_their_context_plural_and_what_translators_are_told(tmp_path):
    (tmp_path / "page.html").write_text(
        """{% load i18n %}
        <p>50 % {# Translators: a button. #}
           {% translate "Go <b>on</b>" context "verb" %}</p>
{% if one %}   {% blocktranslate trimmed count course_count=courses|length %}
      100 % of {{ course_count }} course
    {% plural %}
      100 % of {{ course_count }} courses
    {% endblocktranslate %}{% endif %}
  {{ _("Yes") }} {% include "x.html" with label=_("No") %}
""",
        encoding="utf-8",
    )
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations/0001.py").write_text('_("not this")\n', encoding="utf-8")
    found = extracted(catalogs.Domain("one", tmp_path, root=tmp_path))
    assert keys(found) == {
        ("Go <b>on</b>", "verb"),
        (("100 %% of %(course_count)s course", "100 %% of %(course_count)s courses"), None),
        ("Yes", None),
        ("No", None),
    }
    assert found.get("Go <b>on</b>", "verb").auto_comments == ["a button."]
    assert found.get("Go <b>on</b>", "verb").locations == [("page.html", 3)]


def test_words_of_python_are_found_however_they_are_translated(tmp_path):
    (tmp_path / "code.py").write_text(
        """
# Translators: of a course.
a = _("a"), gettext("b"), gettext_lazy("c"), gettext_noop("d")
b = ngettext("%(count)d e", "%(count)d es", 2), ngettext_lazy("%(count)d f", "%(count)d fs")
c = pgettext("page", "g"), pgettext_lazy("page", "h")
d = npgettext("page", "i", "is", 1), npgettext_lazy("page", "j", "js")
""",
        encoding="utf-8",
    )
    found = extracted(catalogs.Domain("one", tmp_path, root=tmp_path))
    assert {(words if isinstance(words, str) else words[0])[-1] for words, _ in keys(found)} == set("abcdefghij")
    assert {words for words, context in keys(found) if context == "page"} == {"g", "h", ("i", "is"), ("j", "js")}
    assert found.get("a").auto_comments == ["of a course."]


UNTRANSLATED = [
    r"{% comment %}.*?{% endcomment %}",
    r"{% block width %}.*?{% endblock %}",  # a class
    r"{% blocktranslate.*?{% endblocktranslate %}",
    r"{[%#{].*?[%#}]}",
    r"<(?:style|script)\b.*?</(?:style|script)>",
    r"<!--.*?-->",
]
TEMPLATES = [path for domain in DOMAINS for path in domain.sources() if path.suffix != ".py"]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.relative_to(catalogs.ROOT).as_posix())
def test_a_template_says_nothing_that_cannot_be_translated(path):
    text = path.read_text(encoding="utf-8")
    for pattern in UNTRANSLATED:
        text = re.sub(pattern, " ", text, flags=re.S)
    if path.name in {"service_name.txt", "colors.txt"}:  # names of companies, names in stylesheets
        return
    if path.parent.name in ("files", "previews"):  # made by programs, which speak English
        return
    attributes = re.findall(r'\b(?:aria-label|alt|title|placeholder)="([^"]*)"', text)
    shown = re.sub(r"<[^>]*>|&\w+;", " ", text)
    assert re.findall(r"[^\W\d_]{2,}", " ".join([shown, *attributes])) == []


# Bringing a catalog up to date --------------------------------------------------------------------


@pytest.fixture
def school(tmp_path):
    """An app of one module, whose words the test says."""
    domain = catalogs.Domain("school", tmp_path, root=tmp_path)

    def say(*lines):
        (tmp_path / "code.py").write_text("\n".join(lines), encoding="utf-8")
        catalog = updated(domain, "ar")
        catalogs.write(domain, "ar", catalog)
        return domain

    return say


def translate(domain, **said):
    catalog = read(domain, "ar")
    for message in catalog:
        if message.id in said:
            message.string = said[message.id]
    catalogs.write(domain, "ar", catalog)


def test_an_update_keeps_translations_marks_what_changed_and_drops_what_is_gone(school):
    domain = school('_("Courses")', '_("Take a look at what lies ahead")', '_("Gone tomorrow")')
    translate(domain, **{"Courses": "دورات", "Take a look at what lies ahead": "ألق نظرة", "Gone tomorrow": "غدا"})
    school('_("Courses")', '_("Take a look at what lies ahead.")', '_("Something else altogether")')
    found = {message.id: (message.string, message.fuzzy) for message in read(domain, "ar") if message.id}
    assert found == {
        "Courses": ("دورات", False),
        "Take a look at what lies ahead.": ("ألق نظرة", True),
        "Something else altogether": ("", False),
    }
    assert "Gone" not in domain.po("ar").read_text(encoding="utf-8")
    assert "ألق" not in domain.mo("ar").read_bytes().decode(errors="ignore")  # a doubtful one is not shown


def test_an_update_without_news_changes_no_byte(school):
    lines = [
        'ngettext("%(count)d day", "%(count)d days", 2)',
        '_("Courses")',
        'pgettext("code of this language", "en")',
    ]
    domain = school(*lines)
    first = domain.po("ar").read_bytes(), domain.mo("ar").read_bytes()
    school(*lines)
    assert (domain.po("ar").read_bytes(), domain.mo("ar").read_bytes()) == first
    assert b"fuzzy" not in first[0]
    assert read(domain, "ar").get("en", "code of this language").string == "ar"


def test_a_plural_that_lacks_a_form_is_not_shown(school):
    domain = school('ngettext("%(count)d day", "%(count)d days", 2)')
    catalog = read(domain, "ar")
    catalog.get(("%(count)d day", "%(count)d days")).string = ("", "يوم", "", "", "", "")
    assert b"day" not in compiled(catalog)


def test_a_header_holds_no_time_no_person_and_no_program():
    text = "\n".join(domain.po(language).read_text(encoding="utf-8") for domain in DOMAINS for language in LANGUAGES)
    assert re.findall(r"Date|Generated|Translator:|@", re.sub(r"msg\w+.*|#\..*", "", text)) == []


# What can be wrong --------------------------------------------------------------------------------


def faults_of(english, said, language="de", **more):
    catalog = StableCatalog(language)
    catalog.add(english, said, **more)
    return " ".join(faults(catalog))


@pytest.mark.parametrize(
    ("english", "said", "fault"),
    [
        ("Hello %(name)s", "Hallo %(nam)s", "has the placeholders"),
        ("Hello %(name)s", "Hallo", "has the placeholders"),
        ("Hello %(name)s", "Hallo %(name)d", "has the placeholders"),
        ("Hello {name}", "Hallo {nam}", "has the placeholders"),
        ("100 %% of it", "100 % davon", "has the placeholders"),
        ("Hello", "Hallo ", "blanks"),
        (" Hello", "Hallo", "blanks"),
        ("Hello", "Hal\nlo", "line breaks"),
        ("Hello", "<b>Hallo</b>", "HTML"),
        ("Hello", 'Das "Hallo"', "HTML"),
        ("Hello", "Hallo&nbsp;Welt", "HTML"),
        (("%(count)d day", "%(count)d days"), ("%(count)d Tag", ""), "lacks a plural form"),
        (("%(count)d day", "%(count)d days"), ("%(count)d Tag", "Tage"), "has the placeholders"),
        (
            ("%(n)s: %(count)d day", "%(n)s: %(count)d days"),
            ("ein Tag", "%(n)s: %(count)d Tage"),
            "has the placeholders",
        ),
    ],
)
def test_a_fault_is_found(english, said, fault):
    assert fault in faults_of(english, said)


@pytest.mark.parametrize(
    ("english", "said"),
    [
        ("Hello %(name)s", "Sei gegrüßt, %(name)s"),
        ("<b>Hello</b>", "<b>Hallo</b>"),
        ("Tips & tricks", "Tipps & Kniffe"),
        ("the “best”", "die „besten“"),
        (("%(count)d day", "%(count)d days"), ("ein Tag", "%(count)d Tage")),
    ],
)
def test_what_is_right_is_no_fault(english, said):
    assert faults_of(english, said) == ""


def test_a_release_waits_for_what_is_missing_and_for_what_is_doubtful(school):
    domain = school('_("Courses")', '_("Take a look at what lies ahead")')
    translate(domain, **{"Courses": "دورات", "Take a look at what lies ahead": "ألق نظرة"})
    assert catalogs.missing("ar", [domain]) == []
    school('_("Courses")', '_("Take a look at what lies ahead.")', '_("Something else altogether")')
    said = " ".join(catalogs.missing("ar", [domain]))
    assert "'Something else altogether': is not translated" in said
    assert "'Take a look at what lies ahead.': is fuzzy" in said
    assert check("ar", [domain]) == []  # which is what the tests ask


def test_only_the_plural_form_of_a_single_number_may_leave_the_number_out():
    days = ("%(count)d day", "%(count)d days")
    assert (
        faults_of(days, ("لا أيام", "يوم واحد", "يومان", "%(count)d أيام", "%(count)d يومًا", "%(count)d يوم"), "ar")
        == ""
    )
    assert "has the placeholders" in faults_of(days, ("jour", "%(count)d jours"), "fr")  # 0 and 1
    assert "has the placeholders" in faults_of(days, ("日",), "ja")


def test_one_text_in_two_catalogs_is_translated_alike():
    one, other = StableCatalog("de"), StableCatalog("de")
    one.add("Sign in", "Anmelden")
    other.add("Sign in", "Einloggen")
    assert len(contradictions([one, other])) == 1
    assert contradictions([one, one]) == []
    other.add("Sign in", "", context="heading")
    assert len(contradictions([one, other])) == 1


# Plural forms -------------------------------------------------------------------------------------


def test_each_language_has_plural_forms_of_ours():
    assert PLURALS.keys() == set(RELEASED)


@pytest.mark.parametrize(("domain", "language"), BOTH)
def test_a_catalog_names_the_plural_forms_of_ours(domain, language):
    texts = domain.po(language).read_text(encoding="utf-8"), domain.mo(language).read_bytes().decode(errors="ignore")
    headers = [re.findall(r"Plural-Forms: [^;]*;[^;]*;", text) for text in texts]
    assert headers == [["Plural-Forms: nplurals={}; plural={};".format(*PLURALS[language])]] * 2


def test_the_plural_forms_are_ours_whatever_babel_says(monkeypatch):
    monkeypatch.setattr("babel.messages.plurals.PLURALS", {})
    monkeypatch.setattr("babel.messages.plurals.DEFAULT_PLURAL", (5, "n % 5"))
    assert [fault for language in LANGUAGES for fault in check(language)] == []
    for domain in DOMAINS:
        for language in LANGUAGES:
            assert compiled(updated(domain, language)) == domain.mo(language).read_bytes()


def test_a_language_without_plural_forms_is_refused():
    with pytest.raises(LookupError, match="'th' has no plural forms; add them to PLURALS"):
        StableCatalog("th")


#: The plural forms of 0, 1, 2, 3, 11, 100 and 111, by what each language tells apart.
@pytest.mark.parametrize(
    ("language", "indexes"),
    [
        ("ar", [0, 1, 2, 3, 4, 5, 4]),
        ("de", [1, 0, 1, 1, 1, 1, 1]),
        ("es", [1, 0, 1, 1, 1, 1, 1]),
        ("fr", [0, 0, 1, 1, 1, 1, 1]),
        ("he", [2, 0, 1, 2, 2, 2, 2]),
        ("ja", [0, 0, 0, 0, 0, 0, 0]),
        ("pt-br", [0, 0, 1, 1, 1, 1, 1]),
        ("zh-hans", [0, 0, 0, 0, 0, 0, 0]),
    ],
)
def test_numbers_take_the_plural_forms_of_their_language(language, indexes):
    assert [plural_index(StableCatalog(language), number) for number in (0, 1, 2, 3, 11, 100, 111)] == indexes


@given(st.integers(min_value=0, max_value=10**7))
def test_every_number_has_a_form(number):
    for language in LANGUAGES:
        catalog = StableCatalog(language)
        assert 0 <= plural_index(catalog, number) < catalog.num_plurals
