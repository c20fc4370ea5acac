"""To which addresses an e-mail can be sent, whatever the channel."""

import pytest
from django.core.mail import EmailMessage
from hypothesis import given
from hypothesis import strategies as st

from schedules.values.addresses import is_for_channel, is_international, sendable

GOOD = [
    "alice@learners.example.com",
    "alice+garden@learners.example.com",
    "o'brien@example.com",
    "a=b&c%d!#$*/?^_`{|}~-@example.com",
    "foo..bar.@docomo.example",  # against the rules, and yet somebody's mailbox
    "alice@intranet",
    "alice@localhost",
    "alice@my_host.example",
    "a@b",
]


def written(address):
    """As Django writes it to a header."""
    return str(EmailMessage(to=[address]).message()["To"])


@pytest.mark.parametrize("address", GOOD)
def test_an_address_is_handed_on_as_it_is_and_django_changes_nothing(address):
    assert sendable(f" {address}\n") == address
    assert written(address) == address


@pytest.mark.parametrize(
    ("address", "ascii_form"),
    [
        ("alice@bücher.example", "alice@xn--bcher-kva.example"),
        ("alice@straße.example", "alice@xn--strae-oqa.example"),  # and not strasse.example, which is somebody else's
        ("alice@例え.テスト", "alice@xn--r8jz45g.xn--zckzah"),
        ("jörg@bücher.example", "jörg@xn--bcher-kva.example"),
        ("jörg@example.com", "jörg@example.com"),
    ],
)
def test_a_domain_is_written_in_ascii_and_a_mailbox_keeps_its_name(address, ascii_form):
    assert sendable(address) == ascii_form


@pytest.mark.parametrize(
    "address",
    [
        "",
        "alice",
        "alice@",
        "@example.com",
        "alice@@example.com",
        "alice@example@example.com",
        "alice smith@example.com",
        "alice@exam ple.com",
        "alice@example.com, bob@example.com",
        "alice@example.com,bob@example.com",
        "alice@example.com;bob@example.com",
        "alice@example.com bob@example.com",
        "Alice <alice@example.com>",
        "<alice@example.com>",
        '"alice smith"@example.com',
        "alice@example.com\r\nBcc: bob@example.com",
        "alice\x00@example.com",
        "al\u200bice@example.com",
        "alice\u202e@example.com",
        "alice\u00a0@example.com",
        "alice@example..com",
        "alice@.example.com",
        "alice@example.com.",
        "alice@-example.com",
        "alice@" + "a" * 64 + ".com",
        "alice@\u2028.com",
        "alice@xn--ls8h-\ud800.com",
        "a" * 243 + "@example.com",
        "é" * 130 + "@example.com",
        "mailto:alice@example.com",
        "=?utf-8?q?eve?=@example.com",
        "=?utf-8?b?ZXZl?=@example.com",
    ],
)
def test_what_no_mail_can_be_sent_to_is_no_address(address):
    assert sendable(address) is None
    assert not is_for_channel(address, "schedules_email")


def test_only_a_channel_that_asks_its_server_is_asked_about_a_mailbox_that_is_not_ascii():
    assert is_international("jörg@example.com")
    assert not is_international("alice@bücher.example")
    assert is_for_channel("jörg@example.com", "schedules_email")
    assert not is_for_channel("jörg@example.com", "django_email")
    assert is_for_channel("alice@bücher.example", "django_email")


@given(st.text(alphabet="aä.@ -_+\"'<>,;:()[]\\\x00\u200b\u3000１ß", max_size=20))
def test_whatever_is_entered_django_reads_what_we_hand_on_as_the_same_address(text):
    found = sendable(text)
    if found is not None and not is_international(found):
        assert written(found) == found
        assert sendable(found) == found
