"""The how-tos for authors of message types and gates, followed step by step: what they say works as it stands."""

import re
import shlex
import sys
from io import StringIO
from pathlib import Path
from textwrap import dedent

import pytest
from django.apps import apps
from django.contrib.sites.models import Site
from django.core.management import call_command
from django.urls import reverse

from schedules.message_types.reasons import remedy, sentence
from schedules.models import MessageTypeSwitch, ScheduledMessage
from tests.world import TODAY, enroll, make_course, make_learner, open_site

HOWTO = Path(__file__).resolve().parents[2] / "docs/howto"
BLOCK = re.compile(r"^\.\. code-block:: (.+)\n((?:   :\w+: .+\n)*)\n((?:   .*\n|\n)+)", re.MULTILINE)
SITE = "campus.example.com"


class Reader:
    """Does what a how-to says, block by block, in a folder of its own; `printed` is what each command said."""

    def __init__(self, folder, settings):
        self.folder = folder
        self.settings = settings
        self.printed = []
        self.meanwhile = None

    def follow(self, name, meanwhile):
        """`meanwhile`: what is done before the first command that sends, such as a click in the admin."""
        self.meanwhile = meanwhile
        for language, options, text in BLOCK.findall((HOWTO / f"{name}.rst").read_text(encoding="utf-8")):
            if caption := re.search(r":caption: (.+)", options):
                (self.folder / caption[1]).write_text(dedent(text), encoding="utf-8")
            elif language == "python":
                self.set(dedent(text))
            elif language == "shell":
                for line in text.replace("\\\n", "").split("\n"):
                    self.run(*shlex.split(line))
        return self.printed

    def set(self, text):
        others = [app for app in self.settings.INSTALLED_APPS if not app.startswith("tests.hosts")]  # they welcome, too
        values = {"INSTALLED_APPS": others, "SCHEDULES": dict(self.settings.SCHEDULES)}
        exec(text, {}, values)  # noqa: S102 - a page of our own
        for key, value in values.items():
            setattr(self.settings, key, value)

    def run(self, program="", *words):
        match program, *words:
            case "mkdir", *_, path:
                (self.folder / path).mkdir(parents=True)
            case "touch", path:
                (self.folder / path).touch()
            case "python", "manage.py", command, *_:
                if command.startswith("send_") and self.meanwhile:
                    self.meanwhile()
                    self.meanwhile = None
                out = StringIO()
                call_command(*words[1:], stdout=out)
                self.printed.append(out.getvalue())
            case _:
                assert program == "", f"nobody knows how to {program}"


@pytest.fixture
def follow(tmp_path, settings, monkeypatch):
    known = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield Reader(tmp_path, settings).follow
    for module in set(sys.modules) - known:
        if module.startswith("campus_"):
            del sys.modules[module]


def open_campus():
    """The site of all enrollments, by the domain that how-tos have."""
    Site.objects.update(domain=SITE)
    return open_site(SITE)


@pytest.mark.django_db
def test_a_message_type_is_added_by_the_how_to_alone(follow, mailbox, admin_client, tmp_path):
    def switch_on():
        site = open_campus()
        for number in (1, 2):
            enroll(make_learner(f"learner{number}"), make_course(f"Course {number}"), days_ago=0)
        page = reverse("admin:schedules_scheduleconfig_add")
        shown = admin_client.get(page)
        assert "enqueue_welcome" in shown.content.decode()
        answer = admin_client.post(
            page, {"site": site.pk, "hold_back_ratio": 0, "enqueue_welcome": "on", "deliver_welcome": "on"}
        )
        assert answer.status_code == 302
        assert MessageTypeSwitch.current(site, "welcome").deliver

    checked, previewed, tested, sent = follow("add-a-message-type", switch_on)
    assert "no issues" in checked
    assert "previews" in previewed
    assert (tmp_path / "previews/index.html").exists()
    assert re.search(r"^welcome +-1 +2 +0 +2 +0 +0$", tested, re.MULTILINE)
    assert re.search(r"^welcome +-1 +2 +0 +2 +0 +0$", sent, re.MULTILINE)
    assert ScheduledMessage.objects.filter(name="welcome", status="sent").count() == 2
    words = (tmp_path / "campus_messages/templates/schedules/edx_ace/welcome/email/words.txt").read_text("utf-8")
    sentences = re.findall(r'translate "(.*)"', words)
    assert len(sentences) == 3
    messages = [path.read_text("utf-8") for path in mailbox.glob("20*.html")]
    assert len(messages) == 4  # those of the test, too
    for message in messages:
        missing = [one for one in [*sentences, "take the first lesson when it suits you."] if one not in message]
        assert missing == []
        assert "Learn something new today" not in message
    assert "Welcome to Course 1" in "".join(messages)


@pytest.mark.django_db(transaction=True)
def test_a_gate_is_added_by_the_how_to_alone(follow, mailbox):
    def send_a_learner_by_a_partner():
        open_campus()
        course = make_course()
        for name in ("alice", "bob"):
            learner = make_learner(name)
            enroll(learner, course, days_ago=3)
        apps.get_model("campus_partners", "PartnerLearner").objects.create(learner=learner, partner="Partner X")

    try:
        *_, checked, _ = follow("add-a-gate", send_a_learner_by_a_partner)
        assert "no issues" in checked
        out = StringIO()
        call_command("send_recurring_nudge", SITE, date=TODAY.isoformat(), stdout=out)
        assert re.search(r"^recurringnudge_day3 +-3 +2 +0 +1 +1 \(partner-writes 1\) +0$", out.getvalue(), re.MULTILINE)
        row = ScheduledMessage.objects.get(status="skipped")
        assert (row.reason, row.detail) == ("partner-writes", {"partner": "Partner X"})
        assert sentence(row.reason, row.detail) == "The partner Partner X writes to this learner."
        assert remedy(row.reason) == "Take the learner out of the partners' learners in the admin."
    finally:
        call_command("migrate", "campus_partners", "zero", verbosity=0)
        del apps.all_models["campus_partners"]
