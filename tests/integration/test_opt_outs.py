"""Opt-outs are obeyed when learners are found and again when messages are sent; and all pages tell one truth."""

import re

import pytest
from django.contrib.auth.models import User
from django.contrib.sites.models import Site
from django.core.management import call_command
from django.urls import reverse
from edx_ace.message import Message
from edx_ace.recipient import Recipient

from schedules import api, signals
from schedules.contrib.lms.models import CourseEmailOptout, SiteConfiguration
from schedules.models import OptOut, ScheduledMessage
from schedules.optouts import BulkEmailOptoutPolicy
from tests.world import TODAY, enroll, make_course, make_learner, open_site, perform

pytestmark = pytest.mark.django_db

WEEKS = [["dig"], ["sow"]]


@pytest.fixture
def site():
    return open_site()


@pytest.fixture
def alice():
    return make_learner("alice")


def opt_out(learner, site, course=None, message_type=""):
    api.opt_out(learner.pk, scope(site, course, message_type))


def scope(site, course=None, message_type=""):
    return api.OptOutScope(site_id=site.pk, course_id=str(course.pk) if course else "", message_type=message_type)


def send(command="send_recurring_nudge", site="example.com", **options):
    call_command(command, site, date=TODAY.isoformat(), verbosity=0, **options)


def outcomes():
    """(username, message name) -> the reason, or the status."""
    rows = ScheduledMessage.objects.select_related("user")
    return {(row.user.username, row.name): row.reason or row.status for row in rows}


# Saying so ----------------------------------------------------------------------------------------


def test_saying_it_twice_keeps_one_row_and_taking_it_back_leaves_others(site, alice):
    garden = make_course()
    for _ in range(2):
        opt_out(alice, site, garden)
    opt_out(alice, site)
    opt_out(alice, site, garden, "course_update")
    assert OptOut.objects.count() == 3
    for _ in range(2):
        api.opt_in(alice.pk, scope(site, garden))
    assert set(OptOut.objects.values_list("course_id", "message_type")) == {("", ""), (str(garden.pk), "course_update")}


def test_a_learner_who_is_erased_leaves_no_opt_out(site, alice):
    bob = make_learner("bob")
    for learner in (alice, bob):
        opt_out(learner, site)
    signals.learner_erased.send(sender=None, user_id=alice.pk)
    assert list(OptOut.objects.values_list("user__username", flat=True)) == ["bob"]
    bob.delete()
    assert not OptOut.objects.exists()


# Finding and sending ------------------------------------------------------------------------------


def test_each_scope_stops_its_own_messages_and_no_others(site, email_channel):
    here, there = make_course("Here", weeks=WEEKS), make_course("There", weeks=WEEKS)
    nudged = make_course("Nudged")
    other = open_site("other.example.org")
    for name in ("all", "course", "type", "both", "elsewhere", "nobody"):
        learner = make_learner(name)
        for course in (here, there):
            enroll(learner, course, days_ago=7)
        enroll(learner, nudged, days_ago=3)
    users = {user.username: user for user in User.objects.all()}
    opt_out(users["all"], site)
    opt_out(users["course"], site, here)
    opt_out(users["type"], site, message_type="course_update")
    opt_out(users["both"], site, here, "course_update")
    opt_out(users["both"], site, nudged, "course_update")
    opt_out(users["elsewhere"], other)
    send()
    send("send_course_update")
    sent = {
        (row.user.username, course_id)
        for row in ScheduledMessage.objects.filter(status="sent").select_related("user")
        for course_id in row.course_ids
    }
    skipped = ScheduledMessage.objects.exclude(status="sent")
    every = {(name, str(course.pk)) for name in users for course in (here, there, nudged)}
    assert every - sent == {
        *(("all", str(course.pk)) for course in (here, there, nudged)),
        ("course", str(here.pk)),
        *(("type", str(course.pk)) for course in (here, there)),
        ("both", str(here.pk)),
    }
    assert set(skipped.values_list("reason", flat=True)) == {"opted-out"}


def test_the_hosts_opt_outs_and_the_apps_count_together(site, alice, email_channel):
    bees, garden, maps = make_course("Bees"), make_course("Garden"), make_course("Maps")
    bob = make_learner("bob")
    for learner in (alice, bob):
        for course in (bees, garden, maps)[: 3 if learner is alice else 2]:
            enroll(learner, course)
        CourseEmailOptout.objects.create(user=learner, course=bees)
        opt_out(learner, site, garden)
    send()
    assert outcomes() == {("alice", "recurringnudge_day3"): "sent", ("bob", "recurringnudge_day3"): "opted-out"}
    assert ScheduledMessage.objects.get(user=alice).course_ids == [str(maps.pk)]
    assert "Maps" in email_channel[0].subject


@pytest.mark.parametrize("options", [{}, {"override_recipient_email": "tester@example.org"}])
def test_who_leaves_between_claim_and_delivery_gets_nothing(site, alice, email_channel, broker, options):
    garden = make_course()
    bob = make_learner("bob")
    for learner in (alice, bob):
        enroll(learner, garden)
    send(**options)
    if not options:
        perform(broker())  # bins are resolved, and batches wait in the broker; a test has one step alone
    opt_out(alice, site, message_type="recurring_nudge")
    waiting = broker()
    step = "send_test_bin" if options else "deliver_batch"
    assert {name for name, _ in waiting} == {f"schedules.tasks.{step}"}
    perform(waiting)
    (email,) = email_channel
    assert email.to == [options.get("override_recipient_email", bob.email)]
    if not options:
        assert outcomes() == {("alice", "recurringnudge_day3"): "opted-out", ("bob", "recurringnudge_day3"): "sent"}


def test_who_wants_them_again_gets_the_days_message(site, alice, email_channel):
    enroll(alice, make_course())
    opt_out(alice, site)
    send()
    assert outcomes() == {("alice", "recurringnudge_day3"): "opted-out"}
    api.opt_in(alice.pk, scope(site))
    send()
    assert outcomes() == {("alice", "recurringnudge_day3"): "sent"}


# What edx-ace asks about others' messages ---------------------------------------------------------


def is_denied(learner, *courses):
    context = {"course_ids": [str(course.pk) for course in courses]}
    message = Message(app_label="other", name="news", recipient=Recipient(lms_user_id=learner.pk), context=context)
    return bool(BulkEmailOptoutPolicy().check(message).deny)


def test_others_messages_obey_what_is_said_of_a_course_or_of_all(site, alice):
    bees, garden = make_course("Bees"), make_course("Garden")
    opt_out(alice, site, bees)
    assert (is_denied(alice, bees), is_denied(alice, bees, garden), is_denied(alice, garden)) == (True, False, False)
    CourseEmailOptout.objects.create(user=alice, course=garden)
    assert is_denied(alice, bees, garden)
    CourseEmailOptout.objects.all().delete()
    opt_out(alice, site)
    assert is_denied(alice, bees, garden)
    assert not is_denied(make_learner("bob"), bees)


def test_others_messages_are_of_no_message_type_of_ours(site, alice):
    garden = make_course()
    opt_out(alice, site, message_type="recurring_nudge")
    opt_out(alice, site, garden, "course_update")
    assert not is_denied(alice, garden)


def test_all_of_a_site_is_no_word_about_another_sites_courses(site, alice):
    harbor = open_site("harbor.example.org")
    SiteConfiguration.objects.create(site=harbor, enabled=True, site_values={"course_org_filter": ["HarborX"]})
    boats, garden = make_course("Boats", org="HarborX"), make_course("Garden")
    opt_out(alice, harbor)
    assert (is_denied(alice, boats), is_denied(alice, garden)) == (True, False)


def test_what_two_sites_write_about_is_stopped_when_both_are(site, alice):
    garden, other = make_course(), open_site("other.example.org")
    Site.objects.exclude(pk__in=[site.pk, other.pk]).delete()
    opt_out(alice, site)
    assert not is_denied(alice, garden)
    opt_out(alice, other)
    assert is_denied(alice, garden)


# The embedded LMS ---------------------------------------------------------------------------------


class Pages:
    """What the LMS's two pages say about a course, and the buttons of its e-mail page."""

    def __init__(self, client, course):
        self.client, self.course = client, course
        self.path = reverse("schedules_lms:email", args=[course.pk])

    def said(self):
        """How much e-mail the dashboard and the e-mail page say that comes: they must say the same."""
        words = {}
        for path in ("/dashboard", self.path):
            page = self.client.get(path).text.partition(self.course.display_name)[2]
            said = page.partition("You get ")[2].partition(" about this course.")[0]
            words[path] = said
        assert len(set(words.values())) == 1
        return words[self.path]

    def buttons(self):
        form = self.client.get(self.path).text
        return [text for text in ("Stop these e-mails", "Get e-mail again", "Get them again") if text in form]

    def press_again(self, number=0):
        values = re.findall(r'name="again" value="([^"]*)"', self.client.get(self.path).text)
        self.client.post(self.path, {"again": values[number]})


@pytest.fixture
def pages(client, alice, site):
    Site.objects.exclude(pk=site.pk).delete()
    garden = make_course("Garden")
    enroll(alice, garden)
    client.force_login(alice)
    return Pages(client, garden)


def gets_nudge(alice):
    ScheduledMessage.objects.all().delete()
    send()
    return outcomes() == {("alice", "recurringnudge_day3"): "sent"}


def test_a_course_that_was_left_by_the_link_is_stopped_in_the_lms_and_comes_again(pages, alice, site, email_channel):
    assert (pages.said(), gets_nudge(alice)) == ("e-mail", True)
    opt_out(alice, site, pages.course)
    assert (pages.said(), pages.buttons(), gets_nudge(alice)) == ("no e-mail", ["Get e-mail again"], False)
    pages.client.post(pages.path, {"wants_email": "yes"})
    assert (pages.said(), pages.buttons(), gets_nudge(alice)) == ("e-mail", ["Stop these e-mails"], True)


def test_while_all_of_a_site_is_stopped_the_lms_offers_that_way_back_alone(pages, alice, site, email_channel):
    opt_out(alice, site)
    assert (pages.said(), pages.buttons(), gets_nudge(alice)) == ("no e-mail", ["Get them again"], False)
    pages.press_again()
    assert (pages.said(), gets_nudge(alice)) == ("e-mail", True)


def test_a_message_type_that_was_stopped_is_shown_with_its_way_back(pages, alice, site, email_channel):
    opt_out(alice, site, message_type="recurring_nudge")
    assert (pages.said(), gets_nudge(alice)) == ("some e-mail", False)
    assert pages.buttons() == ["Stop these e-mails", "Get them again"]
    assert "You stopped them for all courses of example.com." in pages.client.get(pages.path).text
    pages.press_again()
    assert (pages.said(), gets_nudge(alice)) == ("e-mail", True)


def test_what_is_stopped_on_every_level_comes_back_level_by_level(pages, alice, site, email_channel):
    CourseEmailOptout.objects.create(user=alice, course=pages.course)
    opt_out(alice, site, pages.course)
    opt_out(alice, site, pages.course, "recurring_nudge")
    opt_out(alice, site)
    steps = []
    while pages.said() != "e-mail":
        assert not gets_nudge(alice)
        steps.append((pages.said(), pages.buttons()))
        if "Get e-mail again" in pages.buttons():
            pages.client.post(pages.path, {"wants_email": "yes"})
        else:
            pages.press_again()
    assert steps == [
        ("no e-mail", ["Get them again"]),
        ("no e-mail", ["Get e-mail again", "Get them again"]),
        ("some e-mail", ["Stop these e-mails", "Get them again"]),
    ]
    assert gets_nudge(alice)


def test_what_is_not_there_to_be_taken_back_changes_nothing(pages, alice, site):
    opt_out(make_learner("bob"), site)
    assert pages.client.post(pages.path, {"again": f"{site.pk}  "}).status_code == 302
    assert OptOut.objects.count() == 1


# The admin ----------------------------------------------------------------------------------------

LIST = "admin:schedules_optout_changelist"


@pytest.fixture
def heard():
    said = []

    def listen(signal, sender, **words):
        said.append((signal, words["message_type"]))

    for signal in (signals.learner_opted_out, signals.learner_opted_in):
        signal.connect(listen)
    yield said
    for signal in (signals.learner_opted_out, signals.learner_opted_in):
        signal.disconnect(listen)


def test_staff_look_up_a_learners_opt_outs(admin_client, site, alice):
    opt_out(alice, site, message_type="recurring_nudge")
    opt_out(make_learner("bob"), site, make_course(number="GARDEN"))
    assert len(admin_client.get(reverse(LIST)).context["cl"].result_list) == 2
    page = admin_client.get(reverse(LIST), {"q": "ali"})
    assert [row.user for row in page.context["cl"].result_list] == [alice]
    assert "Reminders to keep learning" in page.text
    assert "every course" in page.text


def test_the_list_asks_as_often_for_many(admin_client, site, alice, django_assert_max_num_queries):
    for number in range(20):
        opt_out(make_learner(f"learner{number}"), site)
    with django_assert_max_num_queries(8):
        admin_client.get(reverse(LIST))


def test_staff_add_an_opt_out_for_who_asked_them_and_the_host_hears_of_it(admin_client, site, alice, heard):
    form = {"user": alice.pk, "site": site.pk, "course_id": "", "message_type": "course_update"}
    assert admin_client.post(reverse("admin:schedules_optout_add"), form).status_code == 302
    assert OptOut.objects.get().user == alice
    assert heard == [(signals.learner_opted_out, "course_update")]
    answer = admin_client.post(reverse("admin:schedules_optout_add"), {**form, "message_type": "no_such_type"})
    assert (answer.status_code, OptOut.objects.count()) == (200, 1)


def test_deleting_is_the_way_back_one_by_one_and_together(admin_client, site, alice, heard):
    for message_type in ("", "course_update", "recurring_nudge"):
        opt_out(alice, site, message_type=message_type)
    heard.clear()
    first, *rest = OptOut.objects.order_by("message_type")
    admin_client.post(reverse("admin:schedules_optout_delete", args=[first.pk]), {"post": "yes"})
    action = {"action": "delete_selected", "_selected_action": [row.pk for row in rest], "post": "yes"}
    admin_client.post(reverse(LIST), action)
    assert not OptOut.objects.exists()
    assert sorted(message_type for signal, message_type in heard) == ["", "course_update", "recurring_nudge"]
    assert {id(signal) for signal, _ in heard} == {id(signals.learner_opted_in)}


def test_rows_are_not_changed(admin_client, site, alice):
    opt_out(alice, site)
    path = reverse("admin:schedules_optout_change", args=[OptOut.objects.get().pk])
    assert admin_client.get(path).status_code == 200
    assert admin_client.post(path, {"course_id": "x"}).status_code == 403
