"""Whose a mail server's refusal of one message is: the recipient's, the sender's, or that of all who speak with it.

The first digit says whether waiting helps (RFC 5321, 4.2.1), and not for whom: many servers say only at RCPT, or at the
end of DATA, what they hold against the sender or our machine. So the enhanced status code is read (RFC 3463), where its
meaning is fixed; else the words. What neither tells is `NOBODYS`: whoever sees it again and again may draw conclusions.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple


class Whose(Enum):
    """`RECIPIENTS`: no other learner would hear of it. `SENDERS`: all of one site. `EVERYBODYS`: the connection's."""

    RECIPIENTS = 1
    NOBODYS = 2
    SENDERS = 3
    EVERYBODYS = 4


class Interpretation(NamedTuple):
    """`is_sure`: words alone that others could say about one recipient are not."""

    whose: Whose
    is_sure: bool = True


#: Passwords (RFC 4954; RFC 5248 for 525), and what no message in good order meets (RFC 5321, 4.2.2; RFC 7504 for 521).
_EVERYBODYS_CODES = frozenset({432, 525, 530, 534, 535, 538, 502, 503, 504, 521})

#: The server closes the connection (RFC 5321, 4.2.3), whatever it was asked, and whatever its status: a new one may do.
CLOSING = 421

_STATUS = re.compile(r"\b([45])\.(\d{1,3}\.\d{1,3})\b[ :-]*")

#: Subject and detail of enhanced status codes. Sources, where it is not RFC 3463:
#: https://www.iana.org/assignments/smtp-enhanced-status-codes (RFC 4954, 5248, 7293, 7372, 7505, 8689),
#: https://support.google.com/a/answer/3726730 (5.4.5, 5.7.25 to 5.7.40) and
#: https://learn.microsoft.com/en-us/exchange/mail-flow-best-practices/non-delivery-reports-in-exchange-online/ (more).
#: Left to words: what has no details (x.y.0), x.3.4 and x.6 (the message), x.4.1, x.4.4, x.4.6 (mostly the recipient's
#: domain), x.5.2 and x.5.4 (a strange address is bad syntax, too), and 5.7.1, which servers say to all.
_BY_STATUS = {
    detail: whose
    for whose, details in {
        Whose.RECIPIENTS: "1.1 1.2 1.3 1.4 1.6 1.10 2.1 2.2 2.3 2.4 7.2 7.17 7.18 7.19 "
        "7.124 7.133 7.134 7.135 7.136 7.193 7.504 7.505 7.507",
        Whose.SENDERS: "1.7 1.8 2.252 7.20 7.21 7.22 7.23 7.24 7.26 7.27 7.32 7.40 7.60 7.501 7.502 7.503 7.509 7.750",
        Whose.EVERYBODYS: "1.90 3.1 3.2 3.3 3.5 3.6 4.2 4.3 4.5 5.1 5.5 5.6 7.8 7.9 7.10 7.11 7.13 "
        "7.25 7.28 7.29 7.30 7.57 7.64 7.506 7.508 7.511",
    }.items()
    for detail in details.split()
}
#: Microsoft's for machines and tenants: “banned sending IP”, “tenant has exceeded threshold”; and those of 4.7.
_EVERYBODYS_RANGES = {"5": (range(606, 650), range(700, 750)), "4": (range(500, 700), range(850, 900))}


def _words(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


#: What a server says before anything about RCPT, whatever it is about.
_PREFIX = re.compile(r"recipient address rejected:?", re.IGNORECASE)

_RECIPIENTS_WORDS = _words(
    r"\b(user|mailbox|recipient|addressee)\b.{0,30}\b(unknown|not found|unavailable|not exist|doesn.t exist|no longer)",
    r"\b(unknown|no such|invalid|non.?existent) (local )?(user|mailbox|recipient|address|account)\b",
    r"\b(mailbox|recipient)\b.{0,30}\b(full|quota)\b|\bover quota\b",
    r"\b(block|black|reject|refus|den|list|restrict)\w* by (the |this |your )?(recipient|user|addressee|customer)\b",
    r"\brecipients? (has|have|does|do|only|takes?|accepts?|rejects?|refuses?)\b",
    r"\bto (this|the) (group|list|recipient|mailbox|user)\b|\bRESOLVER\.RST\b",
)
#: Whom we are to the server depends on us; but one that takes mail for some domains says it about the others.
_RELAY_WORDS = _words(
    r"\brelay\w*\b.{0,40}\b(den|not\b|prohibit|refus|reject|disabl|forbid)",
    r"\b(unable|cannot|can.t|not|don.t|never|no)\b.{0,30}\brelay",
)
_EVERYBODYS_WORDS = _words(
    # Our machine
    r"\bclient host\b|\bblocked using\b|\bdns[bw]l\b|\brbl\b|\b(block|black|deny).?list",
    r"\bip\b.{0,60}\b(list|block|bann|reject|den|reputation)",
    r"\bptr\b|\breverse.?(dns|host|lookup)|\brdns\b|\b(helo|ehlo)\b",
    r"\breputation of.{0,40}\b(send|ip|domain|server)|\b(sender|sending|ip|domain|server)\b.{0,20}\breputation\b",
    # How we came in
    r"\bauthenticat\w+ (is )?(required|needed|failed|credentials)",
    r"\b(must|need to|first|please) (authenticate|log ?in)\b",
    r"\bnot (authenticated|logged in)\b|\bcredentials\b|\bstarttls\b|\b(your|sending|sender.?s?) account\b",
    # How much we send, and what the server has left
    r"\bthrottl|\brate.?limit|\brate exceeded\b",
    r"\btoo many (\w+ )?(messages|e?-?mails|connections|sessions|requests|login)",
    r"\b(sending|send|hourly|daily|monthly|outgoing|outbound|sender|relay)( \w+)? (limit|quota)",
    r"\bsending\b.{0,20}\b(paused|suspended|disabled)|\binsufficient (system |disk )?(storage|resources|space)",
    r"\b(service|system|server)\b.{0,20}\b(unavailable|not available|busy|overload)",
)
_SENDERS_WORDS = _words(
    r"\bsender\b|\bsend(ing)? (as|on behalf|from)\b|\bsendas",
    r"\bfrom (address|domain|header)\b|\bmail from\b|\breturn.?path",
    r"\bunauthenticated\b|\b(dmarc|spf|dkim)\b|\b(not |un)verified\b|\bsending domain\b",
)
_GREYLISTED = _words(r"gr[ae]y.?list")
_COME_AGAIN = _words(r"\btry again later\b", r"\bdeferred\b")


def interpret(code: int, answer: str, *, is_at_data: bool = False) -> Interpretation:
    """Whose a refusal is. `answer`: what follows the code, in one line."""
    if code in _EVERYBODYS_CODES:
        return Interpretation(Whose.EVERYBODYS)
    if code != CLOSING and (by_status := _by_status(answer)) is not None:
        return Interpretation(by_status)
    found = interpret_words(answer)
    is_for_now = 400 <= code < 500 and code != CLOSING
    if found.whose is Whose.NOBODYS and is_for_now and is_at_data and _is_local(answer):
        return Interpretation(Whose.EVERYBODYS)
    return found


def interpret_words(text: str) -> Interpretation:
    """The same where there is no code, or none that tells."""
    words = _PREFIX.sub("", _STATUS.sub("", text))  # the status is there again in each line
    if _GREYLISTED.search(words):  # of the sender, of our machine, and yet each message has to pass it itself
        return Interpretation(Whose.NOBODYS)
    if _RELAY_WORDS.search(words):
        return Interpretation(Whose.EVERYBODYS, is_sure=False)
    if _RECIPIENTS_WORDS.search(words):
        return Interpretation(Whose.RECIPIENTS)
    if _EVERYBODYS_WORDS.search(words):
        return Interpretation(Whose.EVERYBODYS)
    if _SENDERS_WORDS.search(words):
        return Interpretation(Whose.SENDERS, is_sure=False)
    return Interpretation(Whose.NOBODYS)


def is_greylisting(answer: str) -> bool:
    """Whether it may be meant for each message that comes for the first time (RFC 6647)."""
    return bool(_GREYLISTED.search(answer) or _COME_AGAIN.search(answer))


def _is_local(answer: str) -> bool:
    """Whether a 4xx at DATA is trouble of the server's own (RFC 5321, 4.2.2, on 451 and 452); policy (x.7) is not."""
    status = _STATUS.match(answer)
    return not is_greylisting(answer) and (status is None or status[2].startswith(("3.", "4.", "5.")))


def _by_status(answer: str) -> Whose | None:
    status = _STATUS.match(answer)
    if status is None:
        return None
    subject, detail = status[2].split(".")
    if subject == "7" and any(int(detail) in some for some in _EVERYBODYS_RANGES[status[1]]):
        return Whose.EVERYBODYS
    return _BY_STATUS.get(status[2])
