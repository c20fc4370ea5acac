"""No log line, no exception and no broker message holds a learner's address or name, whatever becomes of them."""

import json
import traceback

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from schedules import api
from schedules.contrib.lms.host import LmsHost
from schedules.daily import run_day
from schedules.exceptions import HostError
from schedules.models import ScheduledMessage
from tests.integration.talk import DOMAIN, assert_nothing_was_told, school
from tests.world import TODAY, free_port, make_learner, perform, why

pytestmark = pytest.mark.django_db

OPERATOR = "operator@example.org"


class TalkativeHost(LmsHost):
    """Says in its errors whom they are about, and cannot answer about some."""

    def learners(self, user_ids):
        found = super().learners(user_ids)
        for learner in found.values():
            if learner.name == "Mallory":
                raise ValueError(f"{learner.email} has no such record")
            if learner.name == "Trent":
                raise HostError(f"<{learner.email}> is not to be found")
        return found


class BusyHost(LmsHost):
    """Is down for now, and says for whom."""

    def learners(self, user_ids):
        addresses = [learner.email for learner in super().learners(user_ids).values()]
        raise HostError(f"too busy to say who {addresses} are", is_temporary=True)


class DownWhenDelivering(LmsHost):
    """Answers while learners are found, and is down when their message's turn comes."""

    asked = 0

    def learners(self, user_ids):
        found = super().learners(user_ids)
        type(self).asked += bool(found)
        if self.asked > 1:
            raise HostError(f"too busy to say who {[one.email for one in found.values()]} are", is_temporary=True)
        return found


def run(said, **options):
    """Run the day; what is printed or raised counts as said."""
    try:
        call_command("send_recurring_nudge", "example.com", date=TODAY.isoformat(), stdout=said, **options)
    except CommandError:
        said.write(traceback.format_exc())


def outcomes():
    return {row.user.username: why(row) or row.status for row in ScheduledMessage.objects.select_related("user")}


def use_host(settings, name):
    settings.SCHEDULES = {**settings.SCHEDULES, "HOST": f"{__name__}.{name}"}


def test_a_day_with_every_outcome(said, settings, email_channel):
    use_host(settings, "TalkativeHost")
    school()
    run(said)
    assert outcomes() == {
        "alice": "sent",
        "bob": "no-address",
        "carol": "opted-out",
        "mallory": "host-error: ValueError",
        "trent": "host-error: <(address)> is not to be found",
    }
    assert len(email_channel) == 1
    assert_nothing_was_told(said)


def test_a_template_that_breaks(said, settings, email_channel, tmp_path):
    path = tmp_path / "schedules/edx_ace/recurringnudge_day3/email"
    path.mkdir(parents=True)
    (path / "subject.txt").write_text("{% nonsense %}")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    school()
    run(said)
    assert outcomes()["alice"].startswith("template-error")
    assert_nothing_was_told(said)


def test_a_mail_server_that_is_not_there(said, email_channel, smtp_server):
    smtp_server(free_port())
    school()
    run(said)
    assert outcomes()["alice"].startswith("channel-error: ConnectionRefusedError")
    assert_nothing_was_told(said)


def test_a_test_run_to_a_mail_server_that_is_not_there(said, email_channel, smtp_server):
    smtp_server(free_port())
    school()
    run(said, override_recipient_email=OPERATOR)
    assert not ScheduledMessage.objects.exists()
    assert "channel-error 3" in said.getvalue()
    assert_nothing_was_told(said)


@pytest.mark.parametrize("host", ["BusyHost", "DownWhenDelivering"])
def test_a_host_that_is_down_for_now(host, said, settings, email_channel):
    school()
    DownWhenDelivering.asked = 0
    use_host(settings, host)
    run(said)
    assert "HostError" in said.getvalue()
    assert_nothing_was_told(said)


def test_an_enrollment_and_an_erasure(said, settings, email_channel):
    site = school()
    use_host(settings, "BusyHost")
    alice = make_learner("eve")
    api.learner_enrolled(alice.pk, "course-v1:no+such+course", enrolled_at=timezone.now(), now=timezone.now())
    api.learner_erased(alice.pk)
    run_day("recurring_nudge", site.domain)
    assert_nothing_was_told(said)


def test_the_broker_carries_ids(said, settings, broker, email_channel):
    use_host(settings, "TalkativeHost")
    school()
    carried = []
    for options in ({}, {"override_recipient_email": OPERATOR}):
        run(said, **options)
        while queued := broker():
            carried += queued
            perform(queued)
    assert len(email_channel) == 2
    assert {name for name, _ in carried} == {
        f"schedules.tasks.{step}" for step in ("resolve_bin", "deliver_batch", "send_test_bin")
    }
    assert DOMAIN not in json.dumps(carried)
    assert_nothing_was_told(said)
