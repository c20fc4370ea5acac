"""What is translated is right, and its plurals come out of Django right. What is missing is a release's matter."""

import re

import pytest
from django.utils import translation

from tools.catalogs import DOMAINS, LANGUAGES, StableCatalog, check, read
from tools.translations import forms, plural_index


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_translated_has_no_fault(language):
    assert check(language) == []


PLURALS = [
    pytest.param(language, message, id=f"{language}-{message.id[0][:40]}")
    for domain in DOMAINS
    for language in LANGUAGES
    for message in read(domain, language)
    if message.pluralizable and all(forms(message))
]


@pytest.mark.parametrize(("language", "message"), PLURALS)
def test_a_plural_comes_out_of_django_in_the_form_of_its_number(language, message):
    numbers, catalog = (0, 1, 2, 3, 11, 100, 111), StableCatalog(language)
    named = {name: f"<{name}>" for name in re.findall(r"%\((\w+)\)s", message.id[1])}
    count = re.search(r"%\((\w*count)\)", message.id[1])[1]
    with translation.override(language):
        said = {number: translation.ngettext(*message.id, number) for number in numbers}
    assert said == {number: forms(message)[plural_index(catalog, number)] for number in numbers}
    sentences = [text % {**named, count: number} for number, text in said.items()]
    assert len(set(sentences)) == len(numbers)


def test_there_are_plurals_to_look_at():
    assert len(PLURALS) >= 8 * 5
