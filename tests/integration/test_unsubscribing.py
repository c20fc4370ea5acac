"""The unsubscribe page: who may change what by which request, and what the page says of it."""

import re
from urllib.parse import urlsplit

import pytest
from django.contrib.sites.models import Site
from django.test import Client, override_settings
from django.urls import reverse

from schedules import api, signals
from schedules.contrib.lms.models import CourseEmailOptout, SiteConfiguration
from schedules.exceptions import HostError
from schedules.models import OptOut, ScheduledMessage
from schedules.unsubscribe.links import Token, page_path
from tests.mail_server import mail_server
from tests.world import enroll, make_course, make_learner, open_site, send_nudges

pytestmark = pytest.mark.django_db

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
NUDGE = ":recurring_nudge"


@pytest.fixture
def client():
    """A browser or mail client: no session, and Django's protection against forged forms is on."""
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def alice():
    return make_learner("alice")


@pytest.fixture
def garden():
    return make_course("A Garden in a Year")


@pytest.fixture
def site(alice, garden):
    """Alice takes the garden course on this site."""
    site = open_site()
    enroll(alice, garden)
    return site


@pytest.fixture
def school(site, alice, garden):
    return site, alice, garden


def link(site, learner, *courses, message_type="recurring_nudge", language="en", is_test=False):
    ids = tuple(str(course.pk) for course in courses)
    return page_path(Token(learner.pk, site.pk, message_type, language, ids, is_test))


def of_course(course):
    """How the page calls the choice of a course."""
    return f"{course.pk}:"


def wishes():
    """(username, course, message type) of all opt-outs."""
    return set(OptOut.objects.values_list("user__username", "course_id", "message_type"))


def text_of(answer):
    """What the page says, without its tags."""
    body = answer.content.decode().partition("<body>")[2]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


# Looking and posting ------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["get", "head"])
def test_looking_changes_nothing(client, site, alice, garden, method):
    answer = getattr(client, method)(link(site, alice, garden))
    assert answer.status_code == 200
    assert wishes() == set()


@pytest.mark.parametrize("method", ["put", "patch", "delete", "options"])
def test_other_methods_are_refused(client, site, alice, garden, method):
    assert getattr(client, method)(link(site, alice, garden)).status_code == 405
    assert wishes() == set()


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=here"])
def test_one_click_of_a_mail_client_ends_the_message_type(client, site, alice, garden, content_type):
    body = "List-Unsubscribe=One-Click"
    if "multipart" in content_type:
        body = '--here\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--here--\r\n'
    answer = client.post(link(site, alice, garden), body, content_type=content_type)
    assert answer.status_code == 200
    assert wishes() == {("alice", "", "recurring_nudge")}
    assert not answer.cookies


def test_tracking_parameters_do_not_stand_in_the_way(client, site, alice, garden):
    client.post(f"{link(site, alice, garden)}?utm_source=schedules&again=:", ONE_CLICK)
    assert wishes() == {("alice", "", "recurring_nudge")}


def test_a_post_that_says_nothing_is_one_click(client, site, alice, garden):
    assert client.post(link(site, alice, garden)).status_code == 200
    assert wishes() == {("alice", "", "recurring_nudge")}


def test_one_click_twice_and_after_all_was_stopped_is_one_click(client, site, alice, garden):
    for posted in (ONE_CLICK, ONE_CLICK, {"stop": ":"}, ONE_CLICK):
        assert client.post(link(site, alice, garden), posted).status_code == 200
    assert wishes() == {("alice", "", "recurring_nudge"), ("alice", "", "")}


def test_each_choice_is_stopped_and_taken_back_alone(client, site, alice, garden):
    bees = make_course("Bees")
    enroll(alice, bees)
    path = link(site, alice, bees, garden)
    for value, stored in (
        (NUDGE, ("alice", "", "recurring_nudge")),
        (of_course(garden), ("alice", str(garden.pk), "")),
        (of_course(bees), ("alice", str(bees.pk), "")),
        (":", ("alice", "", "")),
    ):
        before = wishes()
        client.post(path, {"stop": value})
        assert wishes() - before == {stored}
        client.post(path, {"again": value})
        assert wishes() == before
        client.post(path, {"stop": value})
    client.post(path, {"again": ":"})
    assert wishes() == {
        ("alice", "", "recurring_nudge"),
        ("alice", str(garden.pk), ""),
        ("alice", str(bees.pk), ""),
    }


def test_a_choice_that_the_link_does_not_have_changes_nothing(client, site, alice, garden):
    bees = make_course("Bees")
    enroll(alice, bees)
    for value in (of_course(bees), f"{garden.pk}", ":upgrade_reminder", "0:", "", "x", "::"):
        for verb in ("stop", "again"):
            assert client.post(link(site, alice, garden), {verb: value}).status_code == 400
    assert wishes() == set()


def test_a_link_acts_for_its_own_learner_and_site_whoever_is_signed_in(client, site, alice, garden):
    other = open_site("other.example.org")
    client.force_login(make_learner("bob"))
    client.post(link(site, alice, garden), {"stop": ":"}, headers={"host": "other.example.org"})
    (row,) = OptOut.objects.all()
    assert (row.user, row.site) == (alice, site)
    assert "You get these." in text_of(client.get(link(other, alice, garden)))


# Links that are not ours --------------------------------------------------------------------------


def erased_row(site, alice, garden):
    path = link(site, alice, garden)
    alice.delete()
    return path


def closed_site(site, alice, garden):
    path = link(site, alice, garden)
    Site.objects.filter(pk=site.pk).delete()
    return path


def tampered(site, alice, garden):
    path = link(site, alice, garden)
    return path[:-1] + ("A" if path[-1] != "A" else "B")


def foreign(site, alice, garden):
    with override_settings(SECRET_KEY="of another deployment"):
        return link(site, alice, garden)


def nobody(site, alice, garden):
    return page_path(Token(10**6, site.pk, "recurring_nudge", "en"))


def nonsense(site, alice, garden):
    return reverse("schedules:unsubscribe", args=["alice"])


BAD = [erased_row, closed_site, tampered, foreign, nobody, nonsense]


@pytest.mark.parametrize("posted", [None, ONE_CLICK, {"again": ":"}])
@pytest.mark.parametrize("spoil", BAD)
def test_a_link_that_is_not_ours_gets_one_and_the_same_page(client, school, spoil, posted):
    plain = client.get(reverse("schedules:unsubscribe", args=["x"]))
    path = spoil(*school)
    answer = client.get(path) if posted is None else client.post(path, posted)
    assert (answer.status_code, plain.status_code) == (400, 400)
    assert answer.content == plain.content
    differing = {"Date", "Expires", "Content-Length"}
    assert {key: value for key, value in answer.items() if key not in differing} == {
        key: value for key, value in plain.items() if key not in differing
    }
    assert wishes() == set()


@pytest.mark.parametrize("bad", [False, True])
def test_the_page_is_kept_listed_and_passed_on_by_nobody(client, site, alice, garden, bad):
    answer = client.get(nonsense(site, alice, garden) if bad else link(site, alice, garden))
    assert "no-store" in answer["Cache-Control"]
    assert answer["Referrer-Policy"] == "no-referrer"
    assert answer["X-Robots-Tag"] == "noindex, nofollow"
    assert answer["X-Frame-Options"] == "DENY"
    assert not answer.cookies


# What the page says -------------------------------------------------------------------------------


def test_the_page_says_what_was_stopped_and_what_still_comes(client, site, alice, garden):
    text = text_of(client.post(link(site, alice, garden), ONE_CLICK))
    said, _, rest = text.partition("E-mails you can still get")
    assert "You are unsubscribed From now on you no longer get: Reminders to keep learning E-mails of this kind" in said
    assert "Reminders to keep learning" not in rest
    assert "Weekly course news" in rest
    assert "Reminders to upgrade" in rest
    assert "Nothing about" not in rest


def test_a_course_that_was_stopped_is_named(client, site, alice, garden):
    text = text_of(client.post(link(site, alice, garden), {"stop": of_course(garden)}))
    said, _, rest = text.partition("E-mails you can still get")
    assert "you no longer get: A Garden in a Year All e-mails about this course." in said
    assert "Reminders to keep learning" in rest
    assert "Nothing about: A Garden in a Year" in rest


def test_when_all_is_stopped_only_the_way_back_is_offered(client, site, alice, garden):
    answer = client.post(link(site, alice, garden), {"stop": ":"})
    assert re.findall(r'<button[^>]* name="(\w+)" value="([^"]*)"', answer.content.decode()) == [("again", ":")]
    assert "E-mails you can still get None of these e-mails." in text_of(answer)


def test_what_is_stopped_in_part_is_not_said_to_come(client, site, alice, garden):
    answer = text_of(client.post(link(site, alice, garden), ONE_CLICK))
    assert answer.count("You get these, except for those you stopped.") == 2  # all, and the course
    assert "You get these. " not in answer


def test_what_was_stopped_by_other_means_has_its_way_back_too(client, site, alice, garden):
    for scope in (
        {"message_type": "course_update"},
        {"course_id": str(garden.pk), "message_type": "recurring_nudge"},
        {"message_type": "no_longer_there"},
        {"course_id": "course-v1:Not+In+This"},
    ):
        api.opt_out(alice.pk, api.OptOutScope(site_id=site.pk, **scope))
    path = link(site, alice, garden)
    page = client.get(path).content.decode()
    offered = re.findall(r'name="again" value="([^"]*)"', page)
    assert offered == [":course_update", ":no_longer_there", f"{garden.pk}:recurring_nudge"]
    for value in offered:
        client.post(path, {"again": value})
    assert wishes() == {("alice", "course-v1:Not+In+This", "")}


def test_a_message_type_that_is_no_more_can_be_left(client, site, alice, garden):
    path = link(site, alice, garden, message_type="no_longer_there")
    assert "E-mails of this kind" in text_of(client.post(path, ONE_CLICK))
    assert wishes() == {("alice", "", "no_longer_there")}


def test_names_are_shown_as_text_and_no_address_or_name_of_the_learner(client, site, alice, garden):
    garden.display_name = "Bees <b>& Wasps"
    garden.save()
    SiteConfiguration.objects.create(site=site, enabled=True, site_values={"PLATFORM_NAME": "<i>Meadow"})
    page = client.get(link(site, alice, garden)).content.decode()
    assert "Bees &lt;b&gt;&amp; Wasps" in page
    assert "&lt;i&gt;Meadow" in page
    assert "alice" not in page.lower()


@pytest.mark.parametrize(("language", "said"), [("he", '<html lang="he" dir="rtl">'), ("es", 'lang="es" dir="ltr"')])
def test_the_page_is_in_the_messages_language(client, school, language, said):
    answer = client.get(link(*school, language=language), headers={"accept-language": "fr"})
    assert said in answer.content.decode()
    assert answer["Content-Language"] == language


def test_a_language_that_is_no_more_is_the_settings(client, site, alice, garden):
    assert '<html lang="en"' in client.get(link(site, alice, garden, language="xx")).content.decode()


def test_a_project_may_replace_the_page(client, school, settings, tmp_path):
    folder = tmp_path / "schedules/unsubscribe"
    folder.mkdir(parents=True)
    (folder / "choices.html").write_text("{{ link.platform_name }}: {{ choices.single.0.title }}")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    answer = client.get(link(*school))
    assert answer.content.decode() == "Meadow University: Reminders to keep learning"


# The LMS ------------------------------------------------------------------------------------------


def test_the_lms_own_opt_out_is_shown_and_taken_back(client, site, alice, garden):
    CourseEmailOptout.objects.create(user=alice, course=garden)
    path, value = link(site, alice, garden), of_course(garden)
    assert f'name="again" value="{value}"' in client.get(path).content.decode()
    answer = client.post(path, {"again": value})
    assert "You get these e-mails again" in text_of(answer)
    assert not CourseEmailOptout.objects.exists()


def test_an_lms_that_does_not_take_its_opt_out_back_is_named(client, site, alice, garden, change_host):
    change_host("opt_outs", lambda answer, keys: set(keys))
    text = text_of(client.post(link(site, alice, garden), {"again": of_course(garden)}))
    assert "These e-mails are still stopped Your own settings on the platform stop e-mails about this course." in text


def test_what_comes_again_is_not_said_of_what_all_stops_or_of_a_part(client, site, alice, garden):
    path, course = link(site, alice, garden), of_course(garden)
    for value in (NUDGE, course, ":"):
        client.post(path, {"stop": value})
    assert "still stopped You stopped all of these e-mails." in text_of(client.post(path, {"again": course}))
    client.post(path, {"again": ":"})
    answer = text_of(client.post(path, {"again": course}))
    assert "You get these e-mails again You get these, except for those you stopped. A Garden in a Year" in answer


@pytest.mark.parametrize("error", [HostError("away", is_temporary=True), RuntimeError("broken")])
def test_a_learner_can_leave_while_the_lms_is_away(client, school, change_host, error):
    garden = school[-1]

    def fail(*_):
        raise error

    for question in ("courses", "opt_outs", "site_values", "dashboard_url"):
        change_host(question, fail)
    answer = client.post(link(*school), {"stop": of_course(garden)})
    assert str(garden.pk) in text_of(answer)
    assert wishes() == {("alice", str(garden.pk), "")}


def test_the_host_hears_of_each_wish_and_its_faults_are_its_own(client, site, alice, garden, caplog):
    heard = []

    def listen(signal, sender, **said):
        heard.append(said)
        raise RuntimeError(alice.email)

    for signal in (signals.learner_opted_out, signals.learner_opted_in):
        signal.connect(listen)
    try:
        client.post(link(site, alice, garden), ONE_CLICK)
        client.post(link(site, alice, garden), {"again": of_course(garden)})
    finally:
        for signal in (signals.learner_opted_out, signals.learner_opted_in):
            signal.disconnect(listen)
    both = {"user_id": alice.pk, "site_id": site.pk}
    assert heard == [
        {**both, "course_id": "", "message_type": "recurring_nudge"},
        {**both, "course_id": str(garden.pk), "message_type": ""},
    ]
    assert wishes() == {("alice", "", "recurring_nudge")}
    assert "RuntimeError" in caplog.text
    assert "alice@" not in caplog.text


# Messages -----------------------------------------------------------------------------------------


def test_a_mail_client_finds_the_link_in_the_headers_and_one_click_ends_these_e_mails(
    client, school, settings, smtp_server
):
    _, alice, _ = school
    settings.ACE_ENABLED_CHANNELS, settings.ACE_CHANNEL_DEFAULT_EMAIL = ["schedules_email"], "schedules_email"
    for number in range(30):
        enroll(alice, make_course(f"Course {number}"))
    with mail_server() as server:
        smtp_server(server.port)
        send_nudges()
    head, _, _ = server.raw[0].partition(b"\r\n\r\n")
    assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in head + b"\r\n"
    ((url,),) = (re.findall(rb"^List-Unsubscribe:\s+<(https://example\.com/[!-~]+)>\r?$", head, re.M),)
    assert len(url) < 500
    assert client.post(urlsplit(url.decode()).path, ONE_CLICK).status_code == 200
    ScheduledMessage.objects.all().delete()
    send_nudges()
    assert [row.reason for row in ScheduledMessage.objects.all()] == ["opted-out"]


def test_both_mail_channels_carry_the_headers_and_an_address_of_the_sites(client, site, alice, garden, email_channel):
    SiteConfiguration.objects.create(site=site, enabled=True, site_values={"unsubscribe_address": "leave@example.com"})
    send_nudges()
    headers = email_channel[0].extra_headers
    assert re.fullmatch(
        r"<https://example\.com/schedules/unsubscribe/[\w.-]+>, <mailto:leave@example\.com\?subject=unsubscribe>",
        headers["List-Unsubscribe"],
    )
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


@pytest.mark.urls("tests.integration.admin_urls")
def test_a_project_without_the_page_has_no_link_and_no_headers(site, alice, garden, email_channel, change_host):
    change_host("dashboard_url", lambda answer, site_id: "/dashboard")
    change_host("course_links", lambda answer, keys: {})
    send_nudges()
    (email,) = email_channel
    assert [name for name in email.extra_headers if name.startswith("List-")] == []
    assert "unsubscribe" not in email.body


def test_a_testers_click_changes_nothing_for_the_learner(client, site, alice, garden, email_channel):
    send_nudges(override_recipient_email="tester@example.org")
    (email,) = email_channel
    path = urlsplit(email.extra_headers["List-Unsubscribe"].strip("<>")).path
    assert "This link came with a test e-mail." in text_of(client.get(path))
    CourseEmailOptout.objects.create(user=alice, course=garden)
    for posted in (ONE_CLICK, {"stop": ":"}, {"again": of_course(garden)}):
        answer = client.post(path, posted)
        assert answer.status_code == 200
        assert "Nothing was changed This link came with a test e-mail." in text_of(answer)
    assert wishes() == set()
    assert CourseEmailOptout.objects.exists()
