"""Message types and gates with mistakes: one sentence of the checks, and no page that breaks."""

import math
import re
from abc import abstractmethod
from asyncio import CancelledError
from collections.abc import Mapping

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.urls import reverse

from schedules.checks import check_plugins, check_settings, check_templates, check_words
from schedules.messages import Answer, CanUpgrade, DeliveryError, Gate, Resolver, SkipRecipient, no, yes
from schedules.models import MessageTypeSwitch, ScheduledMessage, SendRun
from tests.hosts.campus.messages import Welcome
from tests.world import TODAY, enroll, make_course, make_learner, open_site, perform, send_nudges, started

pytestmark = pytest.mark.django_db

SHIPPED = tuple(
    f"schedules.message_types.{path}"
    for path in ("recurring_nudge.RecurringNudge", "upgrade_reminder.UpgradeReminder", "course_update.CourseUpdate")
)
PAGES = ("scheduleconfig_add", "scheduleconfig_changelist", "scheduledmessage_changelist", "report_changelist")


class Plain(Gate):
    reason = "plain"
    summary = "It is plain."
    remedy = "Nothing."

    def look(self, due, facts, clock):
        return yes()


class WithoutReason(Plain):
    reason = None


class Expired(Plain):
    reason = "expired"


class Broken:
    def __str__(self):
        raise RuntimeError("broken")


def broken(*_):
    raise RuntimeError("broken")


@pytest.fixture
def use(settings):
    """Puts a subclass with these attributes into the settings."""

    def put(base, **attributes):
        globals()["Tried"] = type("Tried", (base,), {"__module__": __name__, **attributes})
        path = f"{__name__}.Tried"
        more = {"MESSAGE_TYPES": [*SHIPPED, path]} if issubclass(base, Resolver) else {"GATES": [path]}
        settings.SCHEDULES = {**settings.SCHEDULES, **more}

    yield put
    globals().pop("Tried", None)


@pytest.fixture
def pages(email_channel, client, admin_client):
    """Asks for the pages of staff and of a learner who unsubscribes."""
    open_site()
    enroll(make_learner(), make_course())
    send_nudges()
    link = email_channel[0].extra_headers["List-Unsubscribe"].strip("<>").partition(">")[0]

    def look():
        for page in (*PAGES, "customtext_add"):
            assert admin_client.get(reverse(f"admin:schedules_{page}")).status_code == 200
        assert client.get(re.sub(r"^https?://[^/]+", "", link)).status_code == 200

    return look


TYPES = {
    "a generator": ({"day_offsets": classmethod(lambda _: (day for day in (0,)))}, "give a tuple of different whole"),
    "a day twice": ({"day_offsets": classmethod(lambda _: (-1, -1))}, "give a tuple of different whole numbers"),
    "a day beyond the calendar": ({"day_offsets": classmethod(lambda _: (-(10**9),))}, "from -10000 to 10000"),
    "no day": ({"day_offsets": classmethod(lambda _: None)}, "day offsets None; give a tuple"),
    "no days at all": ({"day_offsets": classmethod(lambda _: ())}, "has no day offsets; give one at least"),
    "a truth for a day": ({"day_offsets": classmethod(lambda _: (True,))}, r"day offsets \(True,\); give"),
    "a word for a day": ({"further_day_offsets": ("x",)}, r"further day offsets \('x',\); give a tuple"),
    "no label": ({"label": None}, "label None; give a text"),
    "a title that breaks": ({"title": Broken()}, "title .*; give a text"),
    "a gate's class": ({"gates": (CanUpgrade,)}, "gates .*; give a tuple of instances of Gate"),
    "one gate": ({"gates": CanUpgrade()}, "gates .*; give a tuple of instances of Gate"),
    "experiences by name": ({"experiences": ("default",)}, "give a tuple of instances of ExperienceType"),
    "no placeholders": ({"placeholders": None}, "placeholders None; give a tuple of instances of str"),
    "no links": ({"page_links": None}, "page_links None; give a tuple of instances of str"),
    "a gate without a reason": ({"gates": (WithoutReason(),)}, "has the reason None; give words"),
    "a reason that no gate has": ({"gates": (Expired(),)}, "has the reason 'expired', which the app uses already"),
}
GATES = {
    "about no list": ({"message_types": None}, "message_types None; give a tuple of keys"),
    "about a text": ({"message_types": "recurring_nudge"}, "message_types 'recurring_nudge'; give a tuple of keys"),
    "about a list in a list": ({"message_types": ([],)}, "cannot be used: TypeError"),
    "a reason that breaks": ({"reason": property(broken)}, "cannot be used: RuntimeError: broken"),
    "a summary that is no text": ({"summary": None}, "says nothing about summary"),
    "an empty remedy": ({"remedy": "  "}, "says nothing about remedy"),
    "silent by a word": ({"is_silent": "no"}, "is_silent 'no' and look .*; give True or False, and a method"),
    "nothing to look with": ({"look": None}, "and look None; give True or False, and a method"),
    "an abstract one": ({"look": abstractmethod(lambda *_: yes())}, "says nothing about look"),
}


@pytest.mark.parametrize(
    ("base", "attributes", "said"),
    [(Welcome, *row) for row in TYPES.values()] + [(Plain, *row) for row in GATES.values()],
    ids=[*TYPES, *GATES],
)
def test_a_mistake_is_said_in_one_sentence_and_breaks_no_page(use, pages, base, attributes, said):
    use(base, **attributes)
    (problem,) = check_plugins()
    assert re.search(said, problem.msg)
    pages()


@pytest.mark.parametrize("key", ["GATES", "MESSAGE_TYPES"])
@pytest.mark.parametrize("value", ["a.b", {"a.b": 1}, None], ids=repr)
def test_a_setting_that_is_no_list_breaks_no_page(settings, pages, key, value):
    settings.SCHEDULES = {**settings.SCHEDULES, key: value}
    assert [problem.id for problem in (*check_settings(), *check_plugins())] == ["schedules.E001"]
    pages()


def test_a_day_of_the_past_that_a_message_type_has_no_name_for_breaks_no_report(use, pages):
    SendRun.objects.create(
        site=open_site(), message_type="welcome", date=TODAY, day_offset=-5, started_at=started(0), counts={}
    )
    use(Welcome, message_name=classmethod(lambda _, offset: {-1: "welcome"}[offset]))
    pages()


def test_a_module_that_ends_the_process_is_said(settings, tmp_path, monkeypatch, pages):
    (tmp_path / "leaves_at_once.py").write_text("raise SystemExit(3)")
    monkeypatch.syspath_prepend(tmp_path)
    settings.SCHEDULES = {**settings.SCHEDULES, "GATES": ["leaves_at_once.Gate"]}
    (problem,) = check_plugins()
    assert problem.msg == "SCHEDULES['GATES'] names 'leaves_at_once.Gate', which cannot be imported: SystemExit: 3"
    pages()


SEEN = {
    "no number": (lambda *_: no(share=math.nan), "plain", {"share": "nan"}),
    "no end": (lambda *_: no(share=math.inf), "plain", {"share": "inf"}),
    "an object": (lambda *_: Answer(False, (("what", SHIPPED),)), "plain", {"what": str(SHIPPED)}),
    "no pairs": (lambda *_: Answer(False, "seen"), "gate-error", {"answer": "plain: ValueError"}),
    "neither yes nor no": (lambda *_: Answer("no"), "gate-error", {"answer": "plain: TypeError"}),
    "a number without end": (lambda *_: no(many=10**5000), "gate-error", {"answer": "plain: OverflowError"}),
}


@pytest.mark.parametrize(("look", "reason", "detail"), SEEN.values(), ids=SEEN)
def test_what_a_gate_saw_is_kept_as_json(use, admin_client, look, reason, detail):
    use(Plain, look=look, explain=lambda *_: None)
    open_site()
    enroll(make_learner(), make_course())
    send_nudges()
    row = ScheduledMessage.objects.get()
    assert (row.reason, row.detail) == (reason, detail)
    page = admin_client.get(reverse("admin:schedules_scheduledmessage_change", args=[row.pk])).text
    assert f"{Plain.summary}<br>Nothing." in page or reason == "gate-error"


@pytest.mark.parametrize("error", [OperationalError("closed"), ConnectionError("refused"), TimeoutError()], ids=repr)
def test_messages_wait_while_what_a_gate_asks_is_away(use, email_channel, error):
    errors = [error]

    def look(*_):
        if errors:
            raise errors.pop()
        return yes()

    use(Plain, look=look)
    open_site()
    enroll(make_learner(), make_course())
    with pytest.raises(CommandError, match="1 bins failed"):
        send_nudges()
    assert not ScheduledMessage.objects.exists()
    send_nudges()
    assert ScheduledMessage.objects.get().status == "sent"


@pytest.fixture
def welcomed(use, email_channel):
    site = open_site()
    MessageTypeSwitch.objects.create(site=site, message_type="welcome", enqueue=True, deliver=True)
    enroll(make_learner(), make_course(), days_ago=1)

    def send():
        call_command("send_messages", "example.com", type="welcome", date=TODAY.isoformat(), verbosity=0)
        return ScheduledMessage.objects.get()

    return send


def test_a_context_with_a_name_of_edx_aces_is_that_messages_fault_and_not_the_channels(use, welcomed):
    use(Welcome, context=lambda *_: {"message": "Hello"})
    row = welcomed()
    assert (row.status, row.reason) == ("failed", "message-type-error")
    assert row.detail["answer"] == "context() of welcome answers the name message, which is edx-ace's; give another"


@pytest.mark.parametrize("reason", [None, "", 7])
def test_a_skip_without_a_reason_is_that_messages_fault(use, welcomed, reason):
    def context(*_):
        raise SkipRecipient(reason)

    use(Welcome, context=context)
    row = welcomed()
    assert (row.status, row.reason, row.detail) == (
        "failed",
        "message-type-error",
        {"answer": "context() of welcome: TypeError"},
    )


@pytest.mark.parametrize("answer", [None, [], "words"])
def test_a_context_that_is_no_mapping_is_named(use, welcomed, answer):
    use(Welcome, context=lambda *_: answer)
    row = welcomed()
    assert (row.status, row.reason) == ("failed", "message-type-error")
    assert row.detail["answer"] == f"context() of welcome answered {type(answer).__name__}; give a mapping"


class Unreadable(Mapping):
    def __len__(self):
        return 1

    def __iter__(self):
        return iter("a")

    def __getitem__(self, name):
        raise RuntimeError


@pytest.mark.parametrize(
    "error", [DeliveryError("weird-reason", "x"), DeliveryError("channel-refused"), CancelledError()], ids=repr
)
def test_whatever_a_context_raises_is_that_messages_fault(use, welcomed, error):
    def context(*_):
        raise error

    use(Welcome, context=context)
    row = welcomed()
    assert (row.status, row.reason) == ("failed", "message-type-error")


def test_a_context_that_cannot_be_read_is_that_messages_fault(use, welcomed):
    use(Welcome, context=lambda *_: Unreadable())
    assert welcomed().reason == "message-type-error"


def test_a_context_that_meets_an_outage_waits(use, welcomed):
    def context(*_):
        raise ConnectionError

    use(Welcome, context=context)
    row = welcomed()
    assert (row.status, row.reason) == ("claimed", "host-error")


@pytest.mark.parametrize("file", ["words.txt", "subject.txt"])
def test_a_template_that_raises_is_named_and_tried_once(use, settings, tmp_path, welcomed, file):
    template = tmp_path / "schedules/edx_ace/welcome/email" / file
    template.parent.mkdir(parents=True)
    template.write_text('{{ course_name|divisibleby:"x" }}')
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [str(tmp_path)]}]
    use(Welcome)
    row = welcomed()
    assert (row.status, row.reason) == ("failed", "template-error")
    assert row.detail["answer"] == f"schedules/edx_ace/welcome/email/{file}: ValueError"


def test_messages_that_have_no_name_any_more_are_finalized(use, settings, broker):
    settings.ACE_CHANNEL_DEFAULT_EMAIL = "schedules_email"
    use(Welcome)
    site = open_site()
    MessageTypeSwitch.objects.create(site=site, message_type="welcome", enqueue=True, deliver=True)
    enroll(make_learner(), make_course(), days_ago=1)
    call_command("send_messages", "example.com", type="welcome", date=TODAY.isoformat(), verbosity=0)
    perform(broker())
    use(
        Welcome,
        day_offsets=classmethod(lambda cls: (-2,)),
        message_name=classmethod(lambda cls, day_offset: {-2: "welcome"}[day_offset]),
    )
    perform(broker())
    row = ScheduledMessage.objects.get()
    assert (row.status, row.reason, row.detail) == (
        "failed",
        "message-type-error",
        {"answer": "message_name() of welcome: KeyError"},
    )


def test_a_template_that_is_not_correct_is_said_by_the_checks(use, settings, tmp_path, welcomed):
    words = tmp_path / "schedules/edx_ace/welcome/email/words.txt"
    words.parent.mkdir(parents=True)
    words.write_text("{% nonsense %}")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [str(tmp_path)]}]
    use(Welcome)
    (problem,) = (*check_templates(), *check_words())
    assert problem.id == "schedules.E002"
    assert problem.msg.startswith("The template schedules/edx_ace/welcome/email/words.txt is not correct: Invalid")
    assert welcomed().reason == "template-error"
