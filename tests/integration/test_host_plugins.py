"""A school adds messages and a gate in a package of its own: by settings and templates, without an edit of ours."""

import re
from typing import ClassVar

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.urls import reverse
from django.utils import translation

from schedules import previewing
from schedules.message_types import resolver_for, resolvers
from schedules.messages import Gate
from schedules.models import CustomText, MessageTypeSwitch, OptOut, Schedule, ScheduleConfig, ScheduledMessage, SendRun
from tests.hosts.campus.models import PartnerLearner
from tests.world import TODAY, enable_deadlines, enroll, make_course, make_learner, open_site, resolver, started

pytestmark = pytest.mark.django_db

SHIPPED = ("recurring_nudge.RecurringNudge", "upgrade_reminder.UpgradeReminder", "course_update.CourseUpdate")
OWN = ("tests.hosts.campus.messages.Welcome", "tests.hosts.campus.messages.LastCall")


@pytest.fixture(autouse=True)
def campus(settings):
    settings.SCHEDULES = {
        **settings.SCHEDULES,
        "MESSAGE_TYPES": [*(f"schedules.message_types.{path}" for path in SHIPPED), *OWN],
        "GATES": ["tests.hosts.campus.gates.NotAPartners"],
    }


@pytest.fixture
def site():
    found = open_site()
    for key in ("welcome", "last_call"):
        MessageTypeSwitch.objects.create(site=found, message_type=key, enqueue=True, deliver=True)
    return found


def send(key, **options):
    call_command("send_messages", "example.com", type=key, date=TODAY.isoformat(), verbosity=0, **options)


def finalized():
    rows = ScheduledMessage.objects.select_related("user")
    return {(row.name, row.user.username): row.reason or row.status for row in rows}


def test_a_welcome_is_sent_the_day_after_the_start(site, email_channel):
    enroll(make_learner("alice"), make_course(), days_ago=1)
    enroll(make_learner("bob"), make_course(), days_ago=2)
    send("welcome")
    assert finalized() == {("welcome", "alice"): "sent"}
    (email,) = email_channel
    assert email.subject == "Welcome to A Garden in a Year"
    assert "You enrolled in A Garden in a Year yesterday." in email.body
    send("welcome")
    assert len(email_channel) == 1


def test_a_last_call_counts_from_the_upgrade_deadline(site, email_channel):
    enable_deadlines()
    for name, days in (("alice", 1), ("bob", 2)):
        enroll(make_learner(name), make_course(name, price=49), days_ago=5)
        Schedule.objects.filter(user__username=name).update(upgrade_deadline=started(-days))
    send("last_call")
    assert finalized() == {("lastcall", "alice"): "sent"}
    (email,) = email_channel
    assert "You can upgrade in alice until March 10, 2026." in email.body


def test_the_email_is_the_one_that_was_approved(site, email_channel, assert_approved):
    enroll(make_learner(), make_course(price=49), days_ago=1)
    send("welcome")
    (email,) = email_channel
    assert_approved("welcome.en.txt", f"Subject: {email.subject}\n\n{email.body}")


def test_a_sentence_that_a_language_lacks_lets_the_whole_message_fall_back(site, email_channel):
    enroll(make_learner(), make_course(language="de"), days_ago=1)
    send("welcome")
    (email,) = email_channel
    assert "Hello" in email.body
    assert "Unsubscribe from these e-mails" in email.body
    assert ScheduledMessage.objects.get().language == "en"


def test_a_type_that_nobody_switched_on_does_nothing(email_channel, capsys):
    open_site()
    enroll(make_learner(), make_course(), days_ago=1)
    call_command("send_messages", "example.com", type="welcome", date=TODAY.isoformat())
    assert "enqueue_welcome is off" in capsys.readouterr().out
    assert SendRun.objects.get().counts == {"stopped": "enqueue-disabled"}


def test_a_type_that_is_found_but_not_sent_waits_for_its_switch(site, email_channel):
    MessageTypeSwitch.objects.create(site=site, message_type="welcome", enqueue=True, deliver=False)
    enroll(make_learner("alice"), make_course(), days_ago=1)
    send("welcome")
    assert finalized() == {("welcome", "alice"): "delivery-disabled"}
    MessageTypeSwitch.objects.create(site=site, message_type="welcome", enqueue=True, deliver=True)
    send("welcome")
    assert finalized() == {("welcome", "alice"): "sent"}


def test_one_command_a_day_sends_all_that_is_switched_on_in_the_order_of_the_settings(site, capsys, email_channel):
    ScheduleConfig.objects.create(site=site, enqueue_course_update=True)
    call_command("send_daily", "example.com", date=TODAY.isoformat())
    said = re.findall(r"^(\w+) for example\.com on", capsys.readouterr().out, re.M)
    assert said == ["course_update", "welcome", "last_call"]
    call_command("send_daily", all_sites=True, date=TODAY.isoformat())
    assert re.findall(r"^(\w+) for example\.com on", capsys.readouterr().out, re.M) == said


def test_the_switches_stand_on_the_page_of_the_sites_configuration(site, admin_client):
    url = reverse("admin:schedules_scheduleconfig_add")
    source = ScheduleConfig.objects.get()
    page = admin_client.get(url, {"source": source.pk}).text
    assert re.search(r'name="enqueue_welcome"[^>]*checked', page)
    fields = {"site": site.pk, "create_schedules": "on", "hold_back_ratio": 0, "deliver_welcome": "on"}
    assert admin_client.post(url, fields).status_code == 302
    assert not ScheduleConfig.current(site).enqueue_recurring_nudge
    switch = MessageTypeSwitch.current(site, "welcome")
    assert (switch.enqueue, switch.deliver, switch.changed_by.username) == (False, True, "admin")
    assert admin_client.get(reverse("admin:schedules_scheduleconfig_change", args=[source.pk])).status_code == 200
    history = admin_client.get(reverse("admin:schedules_messagetypeswitch_changelist"), {"show_history": "1"})
    assert history.text.count("welcome") >= 2


def test_going_back_to_an_old_row_leaves_the_other_types_as_they_are(site, admin_client):
    old = ScheduleConfig.objects.get()
    ScheduleConfig.objects.create(site=site)
    url = reverse("admin:schedules_scheduleconfig_changelist")
    form = {"action": "revert", "_selected_action": [old.pk], "index": 0}
    answer = admin_client.post(f"{url}?show_history=1", form)
    assert answer.status_code == 302
    assert ScheduleConfig.current(site).deliver_recurring_nudge
    assert MessageTypeSwitch.objects.count() == 2


def test_a_switch_of_a_type_that_is_no_more_does_no_harm(site, admin_client, settings, capsys):
    settings.SCHEDULES = {key: value for key, value in settings.SCHEDULES.items() if key != "MESSAGE_TYPES"}
    assert admin_client.get(reverse("admin:schedules_scheduleconfig_changelist")).status_code == 200
    call_command("send_daily", "example.com", date=TODAY.isoformat(), verbosity=0)
    capsys.readouterr()
    call_command("schedules_status", "example.com")
    assert "welcome" not in capsys.readouterr().out


def test_it_is_previewed_and_has_custom_text_of_its_own(site, email_channel):
    assert previewing.preview("welcome", "en").subject == "Welcome to A Garden in a Year"
    assert "until" in previewing.preview("lastcall", "en").text
    CustomText.objects.create(site=site, message_name="welcome", subject="Come in, {name}", enabled=True)
    enroll(make_learner("alice"), make_course(), days_ago=1)
    send("welcome")
    assert email_channel[0].subject.startswith("Come in")


def test_it_is_reported_and_left_by_its_own_title(site, email_channel, client, admin_client):
    enroll(make_learner("alice"), make_course(), days_ago=1)
    send("welcome")
    report = admin_client.get(reverse("admin:schedules_report_changelist"), {"site": site.pk})
    assert "welcome" in report.text
    link = email_channel[0].extra_headers["List-Unsubscribe"].strip("<>").partition(">")[0]
    path = re.sub(r"^https?://[^/]+", "", link)
    page = client.get(path)
    assert "Welcome messages" in page.text
    client.post(path, {"choice": ":welcome", "stop": "1"})
    assert {(row.message_type, row.course_id) for row in OptOut.objects.all()} <= {("welcome", ""), ("", "")}


def test_messages_of_a_type_that_was_removed_settle(site, settings, email_channel):
    settings.CELERY_TASK_ALWAYS_EAGER = True
    run = SendRun.objects.create(
        site=site, message_type="welcome", date=TODAY, day_offset=-1, started_at=started(0), counts={"bins": {}}
    )
    alice = make_learner("alice")
    waiting = ScheduledMessage.objects.create(
        pk=run.pk, run=run, site=site, user=alice, name="welcome", target_date=TODAY, day_offset=-1, created=started(0)
    )
    settings.SCHEDULES = {**settings.SCHEDULES, "MESSAGE_TYPES": [f"schedules.message_types.{SHIPPED[0]}"]}
    from schedules.sending import delivering, tasks

    totals = delivering.deliver_batch(tasks._run_of(run), [waiting.pk], started(0))
    assert dict(totals.skipped) == {"message-type-gone": 1}
    assert finalized() == {("welcome", "alice"): "message-type-gone"}


# Gates --------------------------------------------------------------------------------------------


def test_a_gate_of_the_school_stops_a_message_with_a_reason_of_its_own(site, admin_client, email_channel):
    garden = make_course()
    for name in ("alice", "bob"):
        enroll(make_learner(name), garden, days_ago=3)
    bob = User.objects.get(username="bob")
    PartnerLearner.objects.create(user_id=bob.pk, partner="Partner X")
    call_command("send_recurring_nudge", "example.com", date=TODAY.isoformat(), verbosity=0)
    assert finalized() == {
        ("recurringnudge_day3", "alice"): "sent",
        ("recurringnudge_day3", "bob"): "partners-learner",
    }
    row = ScheduledMessage.objects.get(user=bob)
    assert row.detail == {"partner": "Partner X"}
    page = admin_client.get(reverse("admin:schedules_scheduledmessage_change", args=[row.pk])).text
    assert "Partner X writes to this learner itself." in page
    assert "Remove the learner from the partner" in page
    listed = admin_client.get(
        reverse("admin:schedules_scheduledmessage_changelist"), {"reason": "partners-learner"}
    ).text
    assert "1 scheduled message" in listed
    report = admin_client.get(
        reverse("admin:schedules_report_changelist"), {"first_day": TODAY, "last_day": TODAY}
    ).text
    assert "partner writes to them itself." in report


def test_a_gate_reads_its_table_once_for_many_learners(site, django_assert_num_queries, email_channel):
    garden = make_course()
    for number in range(30):
        enroll(make_learner(f"learner{number}"), garden, days_ago=3)
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from schedules.finding.facts import Moment
    from schedules.message_types.deciding import decide

    one = resolver(site, "recurring_nudge", -3)
    with CaptureQueriesContext(connection) as queries:
        assert len(decide(one, list(Schedule.objects.all()), started(0), Moment.FINDING)) == 30
    assert len([query for query in queries if "tests_campus_partnerlearner" in query["sql"]]) == 1


class Broken(Gate):
    """A gate whose table is not there."""

    reason = "broken"
    summary = "It is broken."
    remedy = "Mend it."
    asked: ClassVar[list[int]] = []

    def read(self, facts):
        self.asked.append(len(facts.user_ids))
        raise LookupError

    def look(self, due, facts, clock):
        return facts.read(self)


def test_a_gate_that_cannot_read_is_asked_once_for_all(site, settings, email_channel):
    settings.SCHEDULES = {**settings.SCHEDULES, "GATES": [f"{__name__}.Broken"]}
    Broken.asked.clear()
    garden = make_course()
    for number in range(3):
        enroll(make_learner(f"learner{number}", pk=24 * (number + 1)), garden, days_ago=3)
    call_command("send_recurring_nudge", "example.com", date=TODAY.isoformat(), verbosity=0)
    assert set(finalized().values()) == {"gate-error"}
    assert Broken.asked == [3]


def test_types_stand_in_the_order_of_the_settings():
    assert list(resolvers()) == ["recurring_nudge", "upgrade_reminder", "course_update", "welcome", "last_call"]
    with translation.override("en"):
        assert str(resolver_for("last_call").title) == "Last calls to upgrade"
