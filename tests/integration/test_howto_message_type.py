"""The how-to about a new message type, followed to the letter in a copy of the app: what arrives says its own words."""

import json
import re
import shutil
import subprocess
from textwrap import dedent, indent

import pytest

from tests.apart import ROOT, run_apart
from tests.unit.test_docs import page

HOWTO = page("howto/add-a-message-type")

#: A block of code, after the last file of the app that the text before it names.
STEP = re.compile(r"\.\. code-block:: (\S+)\n\n((?:   [^\n]*\n|\n)+)")

SEND = """
import json
from django.core import mail
from django.core.management import call_command
from django.test.utils import override_settings, setup_test_environment
import schedules

setup_test_environment()
call_command("makemigrations", "schedules", verbosity=0)
call_command("migrate", verbosity=0)
call_command("check")
from tests.world import TODAY, enroll, make_course, make_learner, open_site
open_site(enqueue_welcome=True, deliver_welcome=True)
enroll(make_learner(), make_course(), days_ago=1)
with override_settings(ACE_ENABLED_CHANNELS=["django_email"], ACE_CHANNEL_DEFAULT_EMAIL="django_email"):
    call_command("send_welcome", "example.com", date=TODAY.isoformat(), verbosity=0)
(message,) = mail.outbox
((html, _),) = message.alternatives
print(json.dumps([schedules.__file__, message.subject, message.body, html]))
"""


def follow(folder):
    """Do what the page says, in the order of the page."""
    for found in STEP.finditer(HOWTO):
        code = dedent(found[2])
        if found[1] == "shell":
            if "manage.py" not in code:  # making the migration needs Django
                subprocess.run(code, shell=True, check=True, cwd=folder)  # noqa: S602 - a page of this project
            continue
        path = folder / re.findall(r"``(schedules/[\w/.]+\.\w+)``", HOWTO[: found.start()])[-1]
        if path.name == "config.py":
            before, column, after = path.read_text(encoding="utf-8").partition("    hold_back_ratio = ")
            path.write_text(f"{before}{indent(code.strip(), '    ')}\n{column}{after}", encoding="utf-8")
        else:
            path.write_text(code, encoding="utf-8")


@pytest.fixture
def copy(tmp_path):
    """A copy of the app, to which a message type can be added."""
    shutil.copytree(ROOT / "schedules", tmp_path / "schedules", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.slow
def test_a_type_that_is_added_by_the_how_to_says_its_own_words(copy):
    follow(copy)
    said = run_apart(SEND, copy, PYTHONPATH=str(ROOT)).splitlines()[-1]
    where, subject, text, html = json.loads(said)
    assert where == str(copy / "schedules/__init__.py")
    assert subject == "Welcome to A Garden in a Year"
    words = (copy / "schedules/templates/schedules/edx_ace/welcome/email/words.txt").read_text(encoding="utf-8")
    sentences = re.findall(r'translate "(.*)"', words)
    assert len(sentences) == 3
    for sentence in sentences[1:]:
        assert sentence in text
    for sentence in [*sentences, "Look around, and take the first lesson when it suits you."]:
        assert sentence in html
    for part in (text, html):
        assert "Learn something new today" not in part
        assert "fifteen minutes" not in part.lower()
