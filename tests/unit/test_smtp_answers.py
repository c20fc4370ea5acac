"""Whose a refusal is, by its status where that tells, else by its words; in those of servers of all kinds."""

import pytest

from schedules.channels.smtp_answers import Interpretation, Whose, interpret
from schedules.sending.refusals import same_words

RECIPIENTS, NOBODYS, SENDERS, EVERYBODYS = Whose.RECIPIENTS, Whose.NOBODYS, Whose.SENDERS, Whose.EVERYBODYS


def whose(answer, **more):
    code, _, text = answer.partition(" ")
    return interpret(int(code), text, **more)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        # The mailbox's own
        ("550 5.1.1 (address): Recipient address rejected: User unknown in local recipient table", RECIPIENTS),
        ("550 5.1.2 no such domain", RECIPIENTS),
        ("501 5.1.3 Bad recipient address syntax", RECIPIENTS),
        ("556 5.1.10 the domain takes no mail", RECIPIENTS),
        ("552 5.2.2 The account is over quota", RECIPIENTS),
        ("550 5.2.1 The email account that you tried to reach is disabled", RECIPIENTS),
        ("450 4.2.1 The user is receiving mail too quickly", RECIPIENTS),
        ("450 4.1.1 (address): Recipient address rejected: unverified address", RECIPIENTS),
        ("550 5.7.504 (address): Recipient address rejected: Access denied", RECIPIENTS),
        ("550 5.7.133 sender not authenticated for group", RECIPIENTS),
        # In words alone
        ("550 User unknown", RECIPIENTS),
        ("550 No such user here", RECIPIENTS),
        ("550 Requested action not taken: mailbox unavailable", RECIPIENTS),
        ("550 5.5.0 Requested action not taken: mailbox unavailable", RECIPIENTS),
        ("550 5.7.1 The recipient takes no mail from senders unknown to it", RECIPIENTS),
        ("550 5.7.1 You are blacklisted by this user", RECIPIENTS),
        ("550 5.7.1 Sender is not allowed to send to this group", RECIPIENTS),
        ("550 5.7.1 RESOLVER.RST.AuthRequired; authentication required", RECIPIENTS),
        # One message's, or nobody knows
        ("554 5.7.1 Message looks like spam", NOBODYS),
        ("554 5.7.1 (address): Recipient address rejected: Access denied", NOBODYS),
        ("550 5.4.1 Recipient address rejected: Access denied", NOBODYS),
        ("552 5.3.4 Message size limit exceeded", NOBODYS),
        ("550 5.6.0 Lines too long", NOBODYS),
        ("554 5.7.1 The message has a link of bad reputation", NOBODYS),
        ("450 4.2.0 (address): Recipient address rejected: Greylisted", NOBODYS),
        ("451 4.7.1 Greylisted: the sender and client host are new to us", NOBODYS),
        ("550 5.4.4 Unable to route", NOBODYS),
        ("550 Verification failed", NOBODYS),
        ("550 ", NOBODYS),
        ("550 5.7.1", NOBODYS),
        # The sender's
        ("550 5.1.8 Sender address rejected: Domain not found", SENDERS),
        ("550 5.1.7 bad sender", SENDERS),
        ("550 5.7.60 Client does not have permissions to send as this sender", SENDERS),
        ("554 5.2.252 SendAsDenied; (address) not allowed to send as (address)", SENDERS),
        ("550 5.7.26 unauthenticated email from example.com is not accepted due to DMARC", SENDERS),
        ("550 5.7.23 (address): Recipient address rejected: SPF fail", SENDERS),
        ("550 5.7.27 sender has a null MX", SENDERS),
        ("550 5.7.501 Service unavailable. Access denied, spam abuse detected", SENDERS),
        ("550 5.7.750 Client blocked from sending from unregistered domains", SENDERS),
        # The connection's, the machine's, the account's
        ("530 5.7.0 Must issue a STARTTLS command first", EVERYBODYS),
        ("525 5.7.13 User account disabled", EVERYBODYS),
        ("503 5.5.1 RCPT first", EVERYBODYS),
        ("554 5.5.1 no valid recipients", EVERYBODYS),
        ("452 4.3.1 Insufficient system storage", EVERYBODYS),
        ("452 Insufficient system storage", EVERYBODYS),
        ("550 5.4.5 Daily user sending limit exceeded", EVERYBODYS),
        ("550 5.7.1 Daily SMTP relay limit exceeded for customer", EVERYBODYS),
        ("554 5.1.90 Your message can't be sent because you've reached your daily limit", EVERYBODYS),
        ("450 4.7.1 Client host rejected: cannot find your reverse hostname", EVERYBODYS),
        ("554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.example.org", EVERYBODYS),
        ("550 5.7.1 [192.0.2.1] is on our blocklist", EVERYBODYS),
        ("550 5.7.1 Part of your network is on our block list (S3140)", EVERYBODYS),
        ("554 5.7.1 Message rejected under suspicion; sending IP [192.0.2.1] listed", EVERYBODYS),
        ("550 5.7.1 Suspicious due to the very low reputation of the sending IP address", EVERYBODYS),
        ("550 5.7.25 The IP address sending this message does not have a PTR record", EVERYBODYS),
        ("550 5.7.606 Access denied, banned sending IP [192.0.2.1]", EVERYBODYS),
        ("550 5.7.708 Access denied, traffic not accepted from this IP", EVERYBODYS),
        ("451 4.7.500 Server busy. Please try again later from [192.0.2.1]", EVERYBODYS),
        ("550 5.7.64 TenantAttribution; Relay Access Denied", EVERYBODYS),
        ("550 5.7.1 Authentication required", EVERYBODYS),
        ("454 Throttling failure: Daily message quota exceeded.", EVERYBODYS),
        ("454 Throttling failure: Maximum sending rate exceeded.", EVERYBODYS),
        ("451 4.7.1 Service unavailable - try again later", EVERYBODYS),
        ("421 4.7.0 Too many connections from your host", EVERYBODYS),
    ],
)
def test_a_refusal_is_whose_it_says(answer, expected):
    assert whose(answer).whose is expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("554 5.7.1 (address): Sender address rejected: not owned by user learning", SENDERS),
        ("554 Message rejected: Email address is not verified. The following identities failed: (address)", SENDERS),
        ("550 5.7.1 Your message fails DMARC", SENDERS),
        ("554 5.7.1 (address): Relay access denied", EVERYBODYS),
        ("553 5.7.1 relaying denied", EVERYBODYS),
        ("550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain", EVERYBODYS),
        ("550 we do not relay", EVERYBODYS),
    ],
)
def test_words_that_could_be_about_one_recipient_are_not_sure(answer, expected):
    assert whose(answer) == Interpretation(expected, is_sure=False)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("451 local error in processing", EVERYBODYS),
        ("451 4.3.0 queue file write error", EVERYBODYS),
        ("451 4.7.1 policy", NOBODYS),
        ("451 4.7.1 Try again later", NOBODYS),
        ("451 4.3.0 Greylisted", NOBODYS),
        ("421 4.3.0 closing", NOBODYS),
        ("554 5.3.0 no", NOBODYS),
    ],
)
def test_what_a_server_cannot_do_now_with_a_message_that_it_has_read_is_its_own(answer, expected):
    assert whose(answer, is_at_data=True).whose is expected
    assert whose(answer).whose is NOBODYS


def test_a_server_that_closes_a_connection_says_nothing_by_its_status():
    assert whose("421 4.3.2 shutting down").whose is NOBODYS


def test_a_status_that_is_repeated_in_each_line_does_not_break_up_the_words():
    assert whose("550 5.7.1 has no reverse 5.7.1 DNS").whose is EVERYBODYS


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("554 5.7.1 (address): no, id 4XyZ12", "554 5.7.1 (address): No, id 77"),
        ("550 from [192.0.2.1] at 12:00:01", "550 from [192.0.2.77] at 13:10:22"),
        ("Sailthru error 2: bad", "Sailthru error 2: bad"),
    ],
)
def test_ids_times_and_machines_make_no_answer_another(one, other):
    assert same_words(one) == same_words(other)


@pytest.mark.parametrize(("one", "other"), [("554 no", "550 no"), ("554 5.7.1 no", "554 5.7.0 no"), ("554 a", "554 b")])
def test_codes_and_words_do(one, other):
    assert same_words(one) != same_words(other)
