"""How a site fares: by command, page and banner."""

import json
import uuid
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.sites.models import Site
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import include, path, reverse
from django.utils import timezone

from schedules.ledger.status import site_status, site_statuses
from schedules.models import ScheduleConfig, ScheduledMessage, SendRun
from schedules.toggles import WITH_COLUMNS as MESSAGE_TYPES
from tests.integration.admin_urls import urlpatterns as admin_urlpatterns
from tests.world import open_site

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.integration.test_status")]

urlpatterns = [*admin_urlpatterns, path("schedules/", include("schedules.urls"))]

NOW = timezone.now()
COUNTS = {"bins": {"0": 7}, "found": 7, "already": 1, "sent": 3, "skipped": {"opted-out": 2}, "failed": {"x": 1}}
LISTS = ["scheduledmessage", "sendrun", "scheduleconfig"]


@pytest.fixture
def site():
    """All switches on for a week, and each type has run an hour ago."""
    site = open_site()
    since(site, days=7)
    for kind in MESSAGE_TYPES:
        ran(site, kind)
    return site


def since(site, **ago):
    ScheduleConfig.objects.filter(site=site).update(change_date=NOW - timedelta(**ago))


def ran(site, kind="recurring_nudge", hours=1, **fields):
    at = NOW - timedelta(hours=hours)
    fields = {"date": at.date(), "day_offset": -3, "started_at": at, "finished_at": at, "counts": COUNTS, **fields}
    return SendRun.objects.create(site=site, message_type=kind, **fields)


def message(site, status="sent", hours=1, name="alice", run_hours=None, **fields):
    at = NOW - timedelta(hours=hours)
    run = ran(site, hours=hours if run_hours is None else run_hours)
    return ScheduledMessage.objects.create(
        uuid=uuid.uuid4(),
        run=run,
        site=site,
        user=User.objects.get_or_create(username=name, email=f"{name}@learners.example.com")[0],
        name="recurringnudge_day3",
        target_date=run.date,
        day_offset=-3,
        status=status,
        **{"created": at, **fields},
    )


def run_command(**options):
    """What is printed, and the one line on standard error."""
    out = StringIO()
    try:
        call_command("schedules_status", "Example.com", stdout=out, **options)
    except CommandError as refusal:
        return out.getvalue(), str(refusal)
    return out.getvalue(), ""


def test_a_site_where_all_is_well_says_so(site):
    said, error = run_command()
    assert error == ""
    rows = [" ".join(line.split()) for line in said.splitlines()]
    finished = (NOW - timedelta(hours=1)).strftime("%Y-%m-%d %H:%M")
    assert rows[0] == "example.com"
    assert f"recurring_nudge on on {finished[:10]} {finished} UTC 7 1 3 2 1" in rows
    assert rows[-1] == "All is well."


def test_a_site_that_never_was_switched_on_has_no_problems():
    site = Site.objects.get()
    assert site_status(site, NOW).problems == ()
    assert "never" in "".join(run_command())


@pytest.mark.parametrize("kind", MESSAGE_TYPES)
def test_silence_is_a_problem_after_26_hours(kind, site):
    SendRun.objects.filter(message_type=kind).delete()
    ran(site, kind, hours=25)
    assert site_status(site, NOW).problems == ()
    (problem,) = site_status(site, NOW + timedelta(hours=1, minutes=1)).problems[:1]
    SendRun.objects.filter(message_type=kind).delete()
    (problem,) = site_status(site, NOW).problems
    assert problem.startswith(
        f"No {kind} run for its own day has finished in the last 26 hours. Run send_messages --type {kind}"
    )


def test_a_run_that_is_not_finished_is_silence(site):
    SendRun.objects.filter(message_type="course_update").update(finished_at=None)
    assert len(site_status(site, NOW).problems) == 1


def test_a_run_for_another_day_does_not_break_the_silence(site):
    SendRun.objects.filter(message_type="course_update").update(date=NOW.date() - timedelta(days=5))
    assert len(site_status(site, NOW).problems) == 1


def test_a_type_that_is_off_is_silent_as_it_should_be(site):
    SendRun.objects.all().delete()
    open_site(**{f"enqueue_{kind}": False for kind in MESSAGE_TYPES})
    assert site_status(site, NOW).problems == ()


def test_a_switch_gets_26_hours_from_when_it_was_last_turned_on(site):
    SendRun.objects.all().delete()
    assert len(site_status(site, NOW).problems) == 3
    open_site(hold_back_ratio=0.5)  # another change leaves the switches on since a week ago
    assert len(site_status(site, NOW).problems) == 3
    open_site(enqueue_course_update=False)
    open_site()
    assert len(site_status(site, NOW).problems) == 2
    assert len(site_status(site, NOW + timedelta(hours=27)).problems) == 3


@pytest.mark.parametrize(
    ("fields", "counted"),
    [
        pytest.param({"status": "claimed"}, "pending", id="claimed an hour ago"),
        pytest.param({"status": "claimed", "hours": 3}, "stuck", id="claimed and forgotten"),
        pytest.param({"status": "claimed", "hours": 90, "run_hours": 0.5}, "pending", id="taken up again just now"),
        pytest.param({"status": "claimed", "hours": 9, "due_at": NOW + timedelta(hours=1)}, "retrying", id="a retry"),
        pytest.param({"status": "claimed", "due_at": NOW - timedelta(minutes=1)}, "pending", id="a retry that is due"),
        pytest.param(
            {"status": "claimed", "due_at": NOW - timedelta(hours=2)}, "stuck", id="a retry that nobody comes for"
        ),
        pytest.param(
            {"status": "delivering", "leased_until": NOW + timedelta(minutes=1)}, "pending", id="being delivered"
        ),
        pytest.param(
            {"status": "delivering", "leased_until": NOW - timedelta(seconds=1)}, "stuck", id="a lease that ran out"
        ),
    ],
)
def test_what_is_not_finalized_is_counted_once(fields, counted, site):
    message(site, **{"hours": 0.9, **fields})
    status = site_status(site, NOW)
    found = {"pending": status.pending, "retrying": status.retrying, "stuck": status.stuck}
    assert found == {"pending": 0, "retrying": 0, "stuck": 0} | {counted: 1}
    assert bool(status.problems) == (counted == "stuck")


def test_more_failures_than_the_share_are_a_problem(site, settings):
    for number in range(19):
        message(site, name=f"learner{number}")
    message(site, "failed", name="bob", reason="channel-refused", detail={"answer": "550 no"})
    for number in range(5):
        message(site, "skipped", name=f"other{number}", reason="opted-out")
    assert site_status(site, NOW).problems == ()
    settings.SCHEDULES = {**settings.SCHEDULES, "FAILED_SHARE": 0.04}
    assert site_status(site, NOW).problems == (
        "Failed: 1 of the 20 messages tried in the last 24 hours; 4% are allowed.",
    )


def test_failures_of_a_week_are_listed_by_reason_and_those_of_a_day_counted(site):
    message(site, "failed", hours=30, reason="host-error", detail={"answer": "alice@learners.example.com is odd"})
    message(site, "failed", hours=31, reason="host-error", detail={"answer": "something else"})
    message(site, "failed", hours=24 * 8, reason="template-error")
    status = site_status(site, NOW)
    assert status.failed == {"host-error": 2}
    assert status.problems == ()


def test_the_last_run_is_the_latest_day_of_those_begun_last_with_all_offsets(site):
    for days_ago, offset in ((2, -3), (0, -3), (0, -10)):
        ran(site, hours=0.5, date=NOW.date() - timedelta(days=days_ago), day_offset=offset)
    (nudge,) = (one for one in site_status(site, NOW).types if one.message_type == "recurring_nudge")
    assert nudge.last_run.date == NOW.date()
    assert nudge.last_run.counts == {"found": 14, "already": 2, "sent": 6, "skipped": 4, "failed": 2}


def test_a_run_that_was_stopped_is_shown_as_such(site):
    ran(site, hours=0.1, counts={"stopped": "enqueue-disabled"})
    assert "stopped: enqueue-disabled" in run_command()[0]


def test_many_sites_cost_no_more_than_one(site):
    def count(sites):
        with CaptureQueriesContext(connection) as queries:
            site_statuses(sites, NOW)
        return len(queries)

    others = [open_site(f"site{number}.example.com") for number in range(20)]
    for other in others:
        message(other, "failed")
    assert count([site]) == count([site, *others]) <= 9


def test_problems_end_the_command_with_one_line_after_what_it_prints(site):
    SendRun.objects.all().delete()
    said, error = run_command()
    assert said.count("PROBLEM: ") == 3
    assert "\n" not in error
    assert error.startswith("example.com needs somebody to look: No recurring_nudge run")
    assert error.endswith("(and 2 more)")


def test_json_is_the_same_for_programs(site):
    SendRun.objects.filter(message_type="course_update").delete()
    said, error = run_command(json=True)
    status = json.loads(said)
    assert error
    assert len(status["problems"]) == 1
    assert [one["message_type"] for one in status["types"]] == list(MESSAGE_TYPES)
    assert status["types"][0]["last_run"]["counts"]["found"] == 7


@pytest.mark.parametrize("own", [{"FAILED_SHARE": 2}, {"FAILED_SHARE": True}, {"CATCH_UP_DAYS": -1}])
def test_settings_that_cannot_be_used_are_refused(own, site, settings, client):
    settings.SCHEDULES = own
    assert "allowed: a" in run_command()[1]
    answer = client.get("/schedules/health/example.com")
    assert answer.status_code == 503
    assert answer.json() == {"problems": ["The settings cannot be used; manage.py check says why."]}


def test_an_unknown_site_is_refused(site):
    with pytest.raises(CommandError, match="There is no site 'nowhere'"):
        call_command("schedules_status", "nowhere")


# The health page ----------------------------------------------------------------------------------


def test_the_health_page_says_what_the_command_says(site, client):
    answer = client.get(reverse("schedules:health", args=["EXAMPLE.com"]))
    assert answer.status_code == 200
    assert answer.json()["problems"] == []
    assert "no-store" in answer["Cache-Control"]
    SendRun.objects.all().delete()
    answer = client.get("/schedules/health/example.com")
    assert answer.status_code == 503
    assert len(answer.json()["problems"]) == 3
    assert client.head("/schedules/health/example.com").status_code == 503


def test_the_health_page_knows_no_other_site_and_no_other_method(site, client):
    answer = client.get("/schedules/health/nowhere.example.com")
    assert answer.status_code == 404
    assert "example.com" not in answer.text
    for method in (client.post, client.put, client.delete):
        assert method("/schedules/health/example.com").status_code == 405


def test_status_holds_no_personal_data(site, client):
    message(site, "failed", reason="host-error", detail={"answer": "alice@learners.example.com has no name"})
    said = run_command()[0] + run_command(json=True)[0] + client.get("/schedules/health/example.com").text
    assert "host-error" in said
    assert "alice" not in said


def test_programs_are_told_in_english_whatever_the_visitor_or_the_platform_speaks(site, client, settings):
    SendRun.objects.all().delete()
    settings.LANGUAGE_CODE = "de"
    problems = client.get("/schedules/health/example.com", headers={"accept-language": "de"}).json()["problems"]
    assert problems == json.loads(run_command(json=True)[0])["problems"]
    assert all(problem.startswith("No ") for problem in problems)


# The banner ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", LISTS)
def test_the_lists_begin_with_the_problems_of_every_site(kind, site, admin_client):
    url = reverse(f"admin:schedules_{kind}_changelist")
    assert "schedules-problems" not in admin_client.get(url).text
    SendRun.objects.filter(message_type="course_update").delete()
    river = open_site("river.example.com")
    message(river, "claimed", hours=3)
    page = admin_client.get(url).text
    assert "<strong>example.com:</strong> No course_update run" in page
    assert "<strong>river.example.com:</strong> Stuck messages: 1." in page


def test_the_banner_is_for_those_who_may_view_the_list(site, client):
    SendRun.objects.all().delete()
    staff = User.objects.create(username="dana", is_staff=True)
    client.force_login(staff)
    url = reverse("admin:schedules_sendrun_changelist")
    assert client.get(url).status_code == 403
    staff.user_permissions.add(Permission.objects.get(codename="view_sendrun"))
    assert "schedules-problems" in client.get(url).text
    assert client.get(reverse("admin:schedules_scheduledmessage_changelist")).status_code == 403


def test_settings_that_cannot_be_used_are_on_the_banner(site, admin_client, settings):
    message(site, "failed")
    settings.SCHEDULES = {**settings.SCHEDULES, "FAILED_SHARE": 7}
    page = admin_client.get(reverse("admin:schedules_sendrun_changelist")).text
    assert "<strong>Settings:</strong> SCHEDULES[&#x27;FAILED_SHARE&#x27;] is 7" in page
