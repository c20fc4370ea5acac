"""What becomes of a message: each outcome through the real edx-ace, one learner's failure theirs alone."""

import logging
from datetime import timedelta
from uuid import UUID, uuid4

import edx_ace.delivery
import edx_ace.policy
import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from edx_ace.message import Message
from edx_ace.recipient import Recipient
from waffle.testutils import override_flag

from schedules import ledger, toggles
from schedules.contrib.lms.models import CourseEmailOptout, Section, SiteConfiguration
from schedules.exceptions import HostError
from schedules.finding.facts import Moment
from schedules.message_types import resolver_for
from schedules.message_types.deciding import decide
from schedules.models import ScheduledMessage, SendRun
from schedules.optouts import BulkEmailOptoutPolicy
from schedules.sending import ace, delivering
from schedules.toggles import DEBUGGING_FLAG
from schedules.values.outcomes import Outcome, OutcomeStatus
from schedules.values.runs import BINS, Run, RunOrigin
from tests.world import TODAY, enable_deadlines, enroll, free_port, make_course, make_learner, open_site, why

pytestmark = pytest.mark.django_db

Status = ScheduledMessage.Status


def claim(site, message_type="recurring_nudge", day_offset=-3):
    """Everything due, claimed but not delivered: (run, uuids)."""
    run = Run(
        message_type=message_type,
        site_id=site.pk,
        today=TODAY,
        day_offset=day_offset,
        uuid=uuid4(),
        origin=RunOrigin.DATE,
    )
    ledger.open_run(run, timezone.now())
    resolver = resolver_for(message_type)(run, site)
    decisions = [
        one
        for number in range(BINS)
        for schedules in resolver.batches(number)
        for one in decide(resolver, schedules, timezone.now(), Moment.FINDING)
    ]
    ids = ledger.claim(run, [one.entry for one in decisions], timezone.now())
    return run, [str(one) for one in ids]


def deliver(run, ids):
    return delivering.deliver_batch(run, list(map(UUID, ids)), timezone.now())


def rows():
    """Username -> (status, reason)."""
    return {row.user.username: (row.status, why(row)) for row in ScheduledMessage.objects.select_related("user")}


def send(site="example.com"):
    call_command("send_recurring_nudge", site, date=TODAY.isoformat(), verbosity=0)


def test_a_message_is_sent_when_its_channel_took_it(email_channel):
    site = open_site()
    garden = make_course(language="es")
    enroll(make_learner(), garden)
    send()
    (row,) = ScheduledMessage.objects.all()
    assert (row.status, row.reason, row.channel, row.language) == (Status.SENT, "", "django_email", "es")
    assert (row.site, row.name, row.day_offset, row.course_ids) == (site, "recurringnudge_day3", -3, [str(garden.pk)])
    assert (row.attempts, row.target_date) == (1, TODAY - timedelta(days=3))
    assert row.sent_at is not None
    assert row.leased_until is None


def test_the_message_carries_its_uuid_and_sender(email_channel, settings):
    settings.DEFAULT_FROM_EMAIL = "setting@example.com"
    site = open_site("example.com:8000")
    settings.SITE_ID = site.pk
    enroll(make_learner(), make_course())
    send("example.com:8000")
    SiteConfiguration.objects.create(site=site, enabled=True, site_values={"email_from_address": "site@example.com"})
    enroll(make_learner("bob"), make_course())
    send("example.com:8000")
    assert [mail.from_email for mail in email_channel] == ["setting@example.com", "site@example.com"]
    uuid = ScheduledMessage.objects.get(user__username="alice").pk
    assert email_channel[0].extra_headers["Message-ID"] == f"<{uuid}@example.com>"


def test_a_missing_template_fails_that_message_and_the_rest_go_out(email_channel, settings):
    settings.SCHEDULES = {"RECURRING_NUDGE_DAYS": [4, 3]}
    open_site()
    garden = make_course()
    enroll(make_learner("alice"), garden, days_ago=3)
    enroll(make_learner("bob"), garden, days_ago=4)
    send()
    assert rows()["alice"] == (Status.SENT, "")
    status, reason = rows()["bob"]
    assert status == Status.FAILED
    assert reason.startswith("template-missing: schedules/edx_ace/recurringnudge_day4/email/")


def test_a_broken_template_fails_its_message(email_channel, settings, tmp_path):
    folder = tmp_path / "schedules/edx_ace/recurringnudge_day3/email"
    folder.mkdir(parents=True)
    (folder / "subject.txt").write_text("{% nonsense %}")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    open_site()
    enroll(make_learner(), make_course())
    send()
    status, reason = rows()["alice"]
    assert (status, reason.partition(":")[0]) == (Status.FAILED, "template-error")


def test_a_learner_whose_message_cannot_be_made_stops_no_other(email_channel, change_nudges, caplog):
    open_site()
    garden = make_course()
    enroll(make_learner("alice", pk=24), garden)
    enroll(make_learner("bob", pk=48), garden)

    def fail_at_alice(answer, courses):
        if courses[0].schedule.user_id == 24:
            raise ValueError(courses[0].schedule.user.email)
        return answer(courses)

    change_nudges("context", fail_at_alice)
    send()
    assert rows() == {
        "alice": (Status.FAILED, "message-type-error: context() of recurring_nudge: ValueError"),
        "bob": (Status.SENT, ""),
    }
    assert "fail_at_alice" in caplog.text
    assert "alice@" not in caplog.text


def test_a_refused_connection_is_tried_again_and_says_no_address(email_channel, smtp_server, caplog):
    smtp_server(free_port())
    open_site()
    alice = make_learner()
    enroll(alice, make_course())
    send()
    assert rows() == {"alice": (Status.CLAIMED, "channel-error: ConnectionRefusedError")}
    assert ScheduledMessage.objects.get().due_at > timezone.now()
    assert alice.email not in caplog.text


def test_no_channel_is_a_failure(settings):
    settings.ACE_ENABLED_CHANNELS = []
    open_site()
    enroll(make_learner(), make_course())
    send()
    assert rows()["alice"][1].startswith("channel-error: no e-mail channel is enabled")


def test_a_learner_without_an_address_never_reaches_the_channel(email_channel):
    open_site()
    enroll(make_learner(email=""), make_course())
    send()
    assert rows() == {"alice": (Status.SKIPPED, "no-address")}
    assert not email_channel


def test_a_policy_that_denies_is_a_skip(email_channel, monkeypatch):
    class Nobody(edx_ace.policy.Policy):
        def check(self, message):
            return edx_ace.policy.PolicyResult(deny=set(edx_ace.policy.ChannelType))

    monkeypatch.setattr(edx_ace.policy, "policies", lambda: [Nobody()])
    open_site()
    enroll(make_learner(), make_course())
    send()
    assert rows() == {"alice": (Status.SKIPPED, "denied-by-policy")}


def test_a_message_that_took_long_to_make_is_sent_all_the_same(email_channel, monkeypatch):
    """As on a machine that is very busy: edx-ace gives up only if its channel asks it to wait for longer."""
    now, delay = timezone.now, timedelta()

    class Slow(edx_ace.policy.Policy):
        def check(self, message):
            nonlocal delay
            delay = timedelta(minutes=1)
            return edx_ace.policy.PolicyResult(deny=frozenset())

    monkeypatch.setattr(edx_ace.policy, "policies", lambda: [Slow()])
    monkeypatch.setattr(timezone, "now", lambda: now() + delay)
    monkeypatch.setattr(edx_ace.delivery, "get_current_time", timezone.now)
    open_site()
    enroll(make_learner(), make_course())
    send()
    assert rows() == {"alice": (Status.SENT, "")}


def test_who_left_between_claim_and_delivery_is_not_written_to(email_channel):
    site = open_site()
    garden, bees = make_course("Garden"), make_course("Bees")
    alice, bob, carol = make_learner("alice"), make_learner("bob"), make_learner("carol")
    leaving = enroll(alice, garden)
    enroll(bob, garden)
    enroll(carol, garden)
    enroll(carol, bees)
    run, ids = claim(site)
    leaving.is_active = False
    leaving.save()
    CourseEmailOptout.objects.create(user=bob, course=garden)
    CourseEmailOptout.objects.create(user=carol, course=garden)
    deliver(run, ids)
    assert rows() == {
        "alice": (Status.SKIPPED, "no-longer-due"),
        "bob": (Status.SKIPPED, "opted-out"),
        "carol": (Status.SENT, ""),
    }
    assert "Bees" in email_channel[0].subject
    assert "Garden" not in email_channel[0].body


def test_two_workers_with_the_same_batch_send_it_once(email_channel):
    site = open_site()
    enroll(make_learner(), make_course())
    run, ids = claim(site)
    assert (deliver(run, ids).sent, deliver(run, ids).sent) == (1, 0)
    assert len(email_channel) == 1


def test_two_runs_at_once_send_once(email_channel):
    site = open_site()
    enroll(make_learner(), make_course())
    first, second = claim(site), claim(site)
    assert first[1] == second[1]
    assert (deliver(*second).sent, deliver(*first).sent) == (1, 0)
    assert len(email_channel) == 1


def test_a_lease_that_ran_out_is_taken_over_by_the_next_run(email_channel):
    site = open_site()
    enroll(make_learner(), make_course())
    _, ids = claim(site)
    now = timezone.now()
    assert ledger.lease(ids, now)
    send()
    assert rows() == {"alice": (Status.DELIVERING, "")}
    ScheduledMessage.objects.update(leased_until=now - timedelta(seconds=1))
    send()
    assert rows() == {"alice": (Status.SENT, "")}
    assert ScheduledMessage.objects.get().attempts == 2
    assert len(email_channel) == 1


def test_a_message_that_waits_for_its_time_is_left_alone(email_channel):
    site = open_site()
    enroll(make_learner(), make_course())
    run, ids = claim(site)
    ScheduledMessage.objects.update(due_at=timezone.now() + timedelta(hours=1))
    assert deliver(run, ids).as_dict()["sent"] == 0
    ScheduledMessage.objects.update(due_at=timezone.now() - timedelta(hours=1))
    assert deliver(run, ids).as_dict()["sent"] == 1


def test_what_was_sent_is_never_moved_again(email_channel):
    site = open_site()
    enroll(make_learner(), make_course())
    send()
    uuid = ScheduledMessage.objects.get().pk
    ledger.record([uuid], Outcome(status=OutcomeStatus.FAILED, reason="host-error"), timezone.now())
    assert claim(site)[1] == []
    assert rows() == {"alice": (Status.SENT, "")}


def test_a_highlight_that_is_not_text_fails_its_course_alone(email_channel):
    open_site()
    garden, bees = make_course("Garden", weeks=[["dig"]]), make_course("Bees", weeks=[["buzz"]])
    enroll(make_learner("alice"), garden, days_ago=7)
    enroll(make_learner("bob"), bees, days_ago=7)
    Section.objects.filter(course=garden).update(highlights=["dig", 7])
    call_command("send_course_update", "example.com", date=TODAY.isoformat(), verbosity=0)
    status, reason = rows()["alice"]
    assert status == Status.FAILED
    assert reason.startswith("host-error: section 'Section 1' has the highlight 7; a highlight is plain text.")
    assert rows()["bob"] == (Status.SENT, "")


def test_a_host_that_fails_at_one_learner_fails_that_one(email_channel, change_host):
    open_site()
    garden = make_course()
    for name in ("alice", "bob", "carol"):
        enroll(make_learner(name, pk={"alice": 24, "bob": 48, "carol": 72}[name]), garden)

    def fail_at_bob(answer, user_ids):
        if 48 in user_ids:
            raise RuntimeError("bob@learners.example.com is unwell")
        return answer(user_ids)

    change_host("learners", fail_at_bob)
    send()
    assert rows() == {
        "alice": (Status.SENT, ""),
        "bob": (Status.FAILED, "host-error: RuntimeError"),
        "carol": (Status.SENT, ""),
    }


def test_a_host_that_is_away_for_now_fails_the_bin_loudly_and_a_later_run_sends(email_channel, change_host):
    open_site()
    enroll(make_learner(), make_course())

    errors = [HostError("the LMS is restarting", is_temporary=True)]

    def be_away_once(answer, user_ids):
        if errors:
            raise errors.pop()
        return answer(user_ids)

    change_host("learners", be_away_once)
    with pytest.raises(Exception, match=r"1 bins failed; .* run the command again"):
        send()
    assert SendRun.objects.filter(finished_at=None).count() == 1
    send()
    assert rows() == {"alice": (Status.SENT, "")}


def test_reads_do_not_grow_with_learners_and_each_message_costs_two_writes(email_channel):
    site = open_site()
    enable_deadlines()
    garden = make_course(price=49)
    toggles.is_debugging()  # waffle keeps its answer

    def count(first, last):
        for number in range(first, last + 1):
            enroll(make_learner(f"learner{number}", pk=24 * number), garden)
        run, ids = claim(site)
        with CaptureQueriesContext(connection) as queries:
            sent = deliver(run, ids).sent
        reads = [query for query in queries if query["sql"].startswith("SELECT")]
        return sent, len(reads), len(queries) - len(reads) - 2 * sent  # confirmed, and recorded

    one, fifty = count(1, 1), count(2, 51)
    assert (one[0], fifty[0]) == (1, 50)
    assert one[1:] == fifty[1:]


def test_messages_survive_being_written_as_text(email_channel, monkeypatch):
    """A context must be JSON primitives under keys that edx-ace does not claim for itself (traps 4)."""
    seen = []
    monkeypatch.setattr(ace.ace, "send", seen.append)
    open_site()
    enable_deadlines()
    garden = make_course(price=49, weeks=[["dig"]])
    enroll(make_learner("alice"), garden, days_ago=7)
    enroll(make_learner("bob"), make_course(price=49), days_ago=19)
    enroll(make_learner("carol"), make_course(price=49), days_ago=3)
    for command in ("send_recurring_nudge", "send_upgrade_reminder", "send_course_update"):
        call_command(command, "example.com", date=TODAY.isoformat(), verbosity=0)
    assert len(seen) == 3
    for message in seen:
        assert Message.from_string(str(message)).context == message.context
        assert message.language == "en"


def test_nothing_of_one_learner_reaches_another(monkeypatch):
    seen = []
    monkeypatch.setattr(ace.ace, "send", seen.append)
    open_site()
    garden = make_course()
    for number in (24, 48):
        enroll(make_learner(f"learner{number}", pk=number), garden)
    send()
    first, second = seen
    first.context["course_ids"].append("spoiled")
    first.context["social_media_urls"]["spoiled"] = "yes"
    first.options["spoiled"] = first.headers["Spoiled"] = "yes"
    assert "spoiled" not in str(second)
    assert "Spoiled" not in str(second)


def test_the_flag_for_debugging_sets_the_log_level(monkeypatch):
    seen = []
    monkeypatch.setattr(ace.ace, "send", seen.append)
    open_site()
    enroll(make_learner("alice"), make_course())
    send()
    with override_flag(DEBUGGING_FLAG, active=True):
        enroll(make_learner("bob"), make_course())
        send()
    assert [message.log_level for message in seen][-1] == logging.DEBUG
    assert seen[0].log_level is None


def test_the_opt_out_policy_is_registered_with_edx_ace():
    assert any(isinstance(policy, BulkEmailOptoutPolicy) for policy in edx_ace.policy.policies())


def test_the_policy_denies_only_who_opted_out_of_every_course(django_assert_num_queries):
    open_site()
    alice, garden, bees = make_learner(), make_course(), make_course()
    CourseEmailOptout.objects.create(user=alice, course=garden)

    def is_denied(*courses, **context):
        ids = {"course_ids": [str(course.pk) for course in courses]} if courses else context
        message = Message(app_label="other", name="news", recipient=Recipient(lms_user_id=alice.pk), context=ids)
        return bool(BulkEmailOptoutPolicy().check(message).deny)

    assert is_denied(garden)
    assert not is_denied(garden, bees)
    assert not is_denied(bees)
    with django_assert_num_queries(0):
        assert not is_denied()


def test_a_days_policy_questions_cost_no_queries(email_channel, change_host):
    asked = []
    change_host("opt_outs", lambda answer, keys: asked.append(keys) or answer(keys))
    site = open_site()
    garden = make_course()
    for number in range(1, 6):
        enroll(make_learner(f"learner{number}", pk=24 * number), garden)
    run, ids = claim(site)
    asked.clear()
    assert deliver(run, ids).sent == 5
    assert len(asked) == 1
