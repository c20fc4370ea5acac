"""The unsubscribe link: what is signed comes back, anything else does not; and the headers stay whole."""

import email.policy
import re
from dataclasses import replace
from email.message import EmailMessage
from uuid import UUID, uuid4

import pytest
from django.core.signing import Signer
from hypothesis import given
from hypothesis import strategies as st

from schedules.unsubscribe.links import (
    MAX_TOKEN_CHARACTERS,
    Token,
    list_headers,
    page_path,
    read_token,
    write_token,
)

COURSES = ("course-v1:Meadow+B1+2026", "course-v1:Meadow+B2+2026")
TOKEN = Token(7, 1, "recurring_nudge", "en", COURSES)

tokens = st.builds(
    Token,
    user_id=st.integers(0, 2**63),
    site_id=st.integers(0, 2**31),
    message_type=st.text(max_size=50),
    language=st.sampled_from(["en", "he", "pt-br", "zh-hans"]),
    course_ids=st.lists(st.text(max_size=25), max_size=5).map(tuple),
    is_test=st.booleans(),
    message_uuid=st.none() | st.uuids(),
)


@given(tokens)
def test_what_is_written_is_read(token):
    assert read_token(write_token(token)) == token


@given(tokens)
def test_a_token_is_short_and_made_of_what_urls_and_mail_programs_leave_alone(token):
    text = write_token(token)
    assert re.fullmatch(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}", text)
    assert len(text) <= MAX_TOKEN_CHARACTERS


@pytest.mark.parametrize("position", range(len(write_token(TOKEN))))
def test_a_token_with_one_changed_character_is_none_of_ours(position):
    text = write_token(TOKEN)
    for other in "A", "-", ".", "=", "é", "\0":
        if other != text[position]:
            assert read_token(text[:position] + other + text[position + 1 :]) is None


@given(st.text())
def test_other_text_is_none_of_ours(text):
    assert read_token(text) is None


@pytest.mark.parametrize("cut", [slice(1, None), slice(None, -1), slice(None, 10), slice(0, 0)])
def test_a_token_that_was_cut_is_none_of_ours(cut):
    assert read_token(write_token(TOKEN)[cut]) is None


def test_the_signature_of_one_token_does_not_fit_another():
    payload, _ = write_token(replace(TOKEN, user_id=8)).split(".")
    _, signature = write_token(TOKEN).split(".")
    assert read_token(f"{payload}.{signature}") is None


def test_another_secret_key_and_another_salt_do_not_fit(settings):
    mine = write_token(TOKEN)
    assert read_token(Signer(sep=".").sign_object([7, 1, "recurring_nudge", "en", []])) is None
    settings.SECRET_KEY = "of another deployment"
    assert read_token(mine) is None
    settings.SECRET_KEY_FALLBACKS = ["demo-only-never-use-this-in-production"]
    assert read_token(mine) == TOKEN


def test_a_message_about_forty_courses_of_one_school_names_them_all_in_a_short_link():
    forty = replace(TOKEN, course_ids=tuple(f"course-v1:MeadowX+C{number}+2026" for number in range(40)))
    assert read_token(write_token(forty)) == forty
    assert len(page_path(forty)) < 500


def test_a_link_names_as_many_courses_as_it_has_room_for_and_says_that_there_are_more():
    many = replace(TOKEN, course_ids=tuple(f"course-v1:{uuid4()}+{uuid4()}" for _ in range(500)))
    assert len(write_token(many)) <= MAX_TOKEN_CHARACTERS
    found = read_token(write_token(many))
    assert 0 < len(found.course_ids) < 500
    assert found == replace(many, course_ids=many.course_ids[: len(found.course_ids)], is_cut=True)


def test_a_course_with_the_longest_id_is_named():
    letters = "".join(map(str, (uuid4() for _ in range(8))))[:255]
    longest = replace(TOKEN, course_ids=(letters,), message_uuid=uuid4())
    assert read_token(write_token(longest)) == longest


def test_a_link_of_before_still_says_whose_it_is_and_which_schedules():
    signer = Signer(sep=".", salt="schedules.unsubscribe")
    old = signer.sign_object([7, 1, "recurring_nudge", "en", [12, 13], 0, UUID(int=5).hex])
    assert read_token(old) == Token(7, 1, "recurring_nudge", "en", message_uuid=UUID(int=5), schedule_ids=(12, 13))


@pytest.mark.parametrize(
    ("text", "courses"),
    [
        ("WzcsMSwicmVjdXJyaW5nX251ZGdlIiwiZW4iLFtdLDAsIiIsMF0.c_RZc9rYsLsrsp2gi6Tp6GkopNSxTndmS7Ca501FBd8", ()),
        (
            "eNqLNtcx1FEqSk0uLSrKzEuPzytNSU9V0lFKzVPSiVZKzi8tKk7VLTO08k1NTMkv13Yy1DYyMDIDKsCUMoJIxeoY6CgZ4AemSjoG"
            "sQD1wCEn.SvDDVEXlw-h4NUDgWSF8aNkNkjlBY_oRd6KO_nGghfw",
            COURSES,
        ),
    ],
)
def test_a_link_that_lies_in_a_mailbox_is_still_read(text, courses):
    """Plain and deflated, as they once went out: a change that breaks these breaks what learners have."""
    uuid = UUID(int=5) if courses else None
    assert read_token(text) == replace(TOKEN, course_ids=courses, message_uuid=uuid)


def test_a_signed_link_that_says_too_little_is_none_of_ours():
    assert read_token(Signer(sep=".", salt="schedules.unsubscribe").sign_object([7, 1, "recurring_nudge"])) is None


# Headers ------------------------------------------------------------------------------------------


def test_the_headers_are_those_of_the_two_rfcs():
    assert list_headers("https://example.com/u/x", "") == {
        "List-Unsubscribe": "<https://example.com/u/x>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    assert list_headers("https://example.com/u/x", "leave@example.com")["List-Unsubscribe"] == (
        "<https://example.com/u/x>, <mailto:leave@example.com?subject=unsubscribe>"
    )


def test_without_a_page_there_is_no_one_click():
    assert list_headers("", "") == {}
    assert list_headers("", "leave@example.com") == {
        "List-Unsubscribe": "<mailto:leave@example.com?subject=unsubscribe>"
    }


def test_an_address_of_a_sites_values_cannot_add_a_header():
    (value,) = list_headers("", "a@example.com>\r\nBcc: b@example.com").values()
    assert value == "<mailto:a@example.com%3E%0D%0ABcc%3A%20b@example.com?subject=unsubscribe>"


def test_one_click_takes_https():
    assert list_headers("http://localhost:8000/u/x", "") == {"List-Unsubscribe": "<http://localhost:8000/u/x>"}


def test_an_address_at_a_domain_of_any_script_is_written_in_ascii():
    (value,) = list_headers("", "leave@bücher.example").values()
    assert value == "<mailto:leave@xn--bcher-kva.example?subject=unsubscribe>"


@pytest.mark.parametrize("policy", [email.policy.SMTP, email.policy.default, email.policy.SMTPUTF8])
@pytest.mark.parametrize("courses", [1, 500])
def test_a_long_url_is_written_whole_under_modern_policies(policy, courses):
    url = f"https://example.com{page_path(replace(TOKEN, course_ids=tuple(str(uuid4()) for _ in range(courses))))}"
    message = EmailMessage(policy=policy)
    for name, value in list_headers(url, "leave@example.com").items():
        message[name] = value
    lines = message.as_bytes().replace(b"\r\n", b"\n").decode("ascii").splitlines()
    assert lines[:3] == [
        f"List-Unsubscribe: <{url}>,",
        " <mailto:leave@example.com?subject=unsubscribe>",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
    ]
    assert max(map(len, lines)) < 998
