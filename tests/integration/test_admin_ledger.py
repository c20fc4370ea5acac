"""The admin of the ledger and of the runs."""

import datetime
import uuid

import pytest
from django.contrib.auth.models import User
from django.contrib.sites.models import Site
from django.urls import reverse

from schedules.models import ScheduledMessage, SendRun
from tests.integration.admin_fakes import BOTANY, count_queries, day

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.integration.admin_urls")]

MESSAGES = "admin:schedules_scheduledmessage_changelist"
RUNS = "admin:schedules_sendrun_changelist"
COUNTS = {
    "bins": {"0": 7, "1": 5},
    "found": 12,
    "already": 2,
    "sent": 4,
    "pending": 1,
    "skipped": {"opted-out": 3, "no-address": 1},
    "failed": {"template-error": 1},
}


@pytest.fixture
def site():
    return Site.objects.get()


@pytest.fixture
def other_site():
    return Site.objects.create(domain="river.example.com", name="River")


def run_of(site, message_type="recurring_nudge", date=datetime.date(2026, 3, 15), **values):
    values = {"day_offset": -3, "started_at": day(3, 15), "counts": {}} | values
    return SendRun.objects.create(site=site, message_type=message_type, date=date, **values)


def message(run, name="alice", **values):
    values = {
        "uuid": uuid.uuid4(),
        "name": "recurringnudge_day3",
        "target_date": datetime.date(2026, 3, 12),
        "status": "sent",
        "course_ids": [BOTANY],
        "created": day(3, 15),
    } | values
    user = User.objects.get_or_create(username=name)[0]
    return ScheduledMessage.objects.create(run=run, site=run.site, user=user, day_offset=run.day_offset, **values)


def listed(client, url, **query):
    return set(client.get(reverse(url), query).context["cl"].result_list)


def test_messages_are_filtered_by_site_type_status_reason_and_day(admin_client, site, other_site):
    nudges, updates = run_of(site), run_of(other_site, "course_update")
    sent = message(nudges)
    skipped = message(nudges, "bob", status="skipped", reason="opted-out")
    failed = message(
        nudges, "carol", status="failed", reason="template-error", detail={"answer": "courseupdate has no subject"}
    )
    update = message(updates, target_date=datetime.date(2026, 3, 8))

    assert listed(admin_client, MESSAGES) == {sent, skipped, failed, update}
    assert listed(admin_client, MESSAGES, site__id__exact=other_site.pk) == {update}
    assert listed(admin_client, MESSAGES, type="recurring_nudge") == {sent, skipped, failed}
    assert listed(admin_client, MESSAGES, status__exact="skipped") == {skipped}
    assert listed(admin_client, MESSAGES, reason="template-error") == {failed}
    assert listed(admin_client, MESSAGES, reason="opted-out") == {skipped}
    assert listed(admin_client, MESSAGES, target_date="2026-03-08") == {update}
    assert listed(admin_client, MESSAGES, run=nudges.pk, status__exact="sent") == {sent}
    assert listed(admin_client, MESSAGES, run="nonsense") == set()


def test_picking_a_day_keeps_the_other_filters(admin_client, site):
    message(run_of(site))

    page = admin_client.get(reverse(MESSAGES), {"status__exact": "sent", "target_date": "2026-03-12", "p": "1"}).text

    assert '<input type="hidden" name="status__exact" value="sent">' in page
    assert 'name="target_date" value="2026-03-12"' in page
    assert '<input type="hidden" name="p"' not in page


def test_a_day_that_is_none_leads_back_to_the_whole_list(admin_client, site):
    response = admin_client.get(reverse(MESSAGES), {"target_date": "2026-02-30"})

    assert response.status_code == 302
    assert response.url.endswith("?e=1")


def test_messages_are_found_by_a_whole_username_and_by_the_uuid_of_message_or_run(admin_client, site):
    first, second = run_of(site), run_of(site, "course_update")
    to_alice, to_alicia = message(first), message(second, "alicia")

    assert listed(admin_client, MESSAGES, q=" alice ") == {to_alice}
    assert listed(admin_client, MESSAGES, q="ali") == set()
    assert listed(admin_client, MESSAGES, q=str(to_alicia.pk)) == {to_alicia}
    assert listed(admin_client, MESSAGES, q=str(first.pk)) == {to_alice}
    assert listed(admin_client, MESSAGES, q=" ") == {to_alice, to_alicia}


def test_a_message_names_its_courses_and_links_its_run(admin_client, site):
    run = run_of(site)
    row = message(run, course_ids=[BOTANY, "course-v1:Meadow+<b>Chess</b>+2026"])

    page = admin_client.get(reverse("admin:schedules_scheduledmessage_change", args=[row.pk])).text

    assert f"{BOTANY}, course-v1:Meadow+&lt;b&gt;Chess&lt;/b&gt;+2026" in page
    assert reverse("admin:schedules_sendrun_change", args=[run.pk]) in page


def test_courses_that_are_not_a_list_are_shown_as_they_stand(admin_client, site):
    row = message(run_of(site), course_ids={"odd": 1})

    page = admin_client.get(reverse("admin:schedules_scheduledmessage_change", args=[row.pk]))

    assert "{&#x27;odd&#x27;: 1}" in page.text


@pytest.mark.parametrize("kind", ["scheduledmessage", "sendrun"])
def test_nothing_in_the_ledger_can_be_written_here(admin_client, site, kind):
    run = run_of(site)
    row = message(run) if kind == "scheduledmessage" else run
    page = reverse(f"admin:schedules_{kind}_change", args=[row.pk])

    assert admin_client.get(reverse(f"admin:schedules_{kind}_add")).status_code == 403
    assert admin_client.post(reverse(f"admin:schedules_{kind}_delete", args=[row.pk])).status_code == 403
    assert admin_client.post(page, {}).status_code == 403
    shown = admin_client.get(page)
    assert shown.status_code == 200
    assert 'name="_save"' not in shown.text
    assert "deletelink" not in shown.text
    assert "delete_selected" not in admin_client.get(reverse(f"admin:schedules_{kind}_changelist")).text


def test_deleting_a_learner_takes_their_messages_along(admin_client, site):
    message(run_of(site))
    alice = User.objects.get(username="alice")

    admin_client.post(reverse("admin:auth_user_delete", args=[alice.pk]), {"post": "yes"})

    assert not User.objects.filter(username="alice").exists()
    assert not ScheduledMessage.objects.exists()


def test_a_run_shows_what_became_of_its_learners_and_links_them(admin_client, site):
    run = run_of(site, counts=COUNTS, finished_at=day(3, 16))

    page = admin_client.get(reverse("admin:schedules_sendrun_change", args=[run.pk])).text

    rows = [
        " ".join(row.split("</tr>")[0].split()) for row in page.split('<table class="run-counts">')[1].split("<tr>")[1:]
    ]
    link = f'<a href="{reverse(MESSAGES)}?run={run.pk}&amp;status__exact='
    assert rows == [
        '<th scope="row">Bins that have reported</th> <td>2</td>',
        '<th scope="row">Learners found</th> <td>12</td>',
        '<th scope="row">Already handled by an earlier run</th> <td>2</td>',
        f'<th scope="row">Sent</th> <td>{link}sent">4</a></td>',
        '<th scope="row">Still pending</th> <td>1</td>',
        f'<th scope="row">Skipped: no-address</th> <td>{link}skipped&amp;reason=no-address">1</a></td>',
        f'<th scope="row">Skipped: opted-out</th> <td>{link}skipped&amp;reason=opted-out">3</a></td>',
        f'<th scope="row">Failed: template-error</th> <td>{link}failed&amp;reason=template-error">1</a></td>',
    ]


def test_the_links_between_a_run_and_its_messages_lead_both_ways(admin_client, site):
    run = run_of(site, counts=COUNTS)
    row = message(run)
    message(run_of(site, "course_update"))
    messages_of_run = f"{reverse(MESSAGES)}?run={run.pk}"

    assert f'href="{messages_of_run}"' in admin_client.get(reverse(RUNS)).text
    page = admin_client.get(messages_of_run)
    assert list(page.context["cl"].result_list) == [row]
    assert reverse("admin:schedules_sendrun_change", args=[run.pk]) in page.text


def test_the_list_of_runs_shows_totals_and_what_is_not_known_yet_as_a_dash(admin_client, site):
    run_of(site, counts=COUNTS, finished_at=day(3, 16))
    run_of(site, counts={"bins": {"0": 7, "1": 5}})

    page = admin_client.get(reverse(RUNS)).text

    cells = [part.split("<")[0] for column in ("found", "sent", "skipped", "failed") for part in _column(page, column)]
    assert sorted(cells) == sorted(["12", "12", "4", "-", "4", "-", "1", "-"])


def _column(page, name):
    return page.split(f'class="field-{name}">')[1:]


@pytest.mark.parametrize(
    "counts",
    [{}, [], None, "text", {"bins": [1]}, {"bins": {"0": None}}, {"found": "x", "skipped": 3, "failed": {"a": True}}],
)
def test_counts_that_are_incomplete_or_odd_do_not_break_the_pages(admin_client, site, counts):
    run = run_of(site)
    SendRun.objects.filter(pk=run.pk).update(counts=counts if counts is not None else {})

    assert admin_client.get(reverse(RUNS)).status_code == 200
    assert admin_client.get(reverse("admin:schedules_sendrun_change", args=[run.pk])).status_code == 200


def test_runs_are_filtered_by_site_type_state_and_day_and_found_by_uuid(admin_client, site, other_site):
    finished = run_of(site, counts=COUNTS, finished_at=day(3, 16))
    under_way = run_of(site, "course_update", date=datetime.date(2026, 3, 16))
    stopped = run_of(other_site, counts={"stopped": "enqueue-disabled"}, finished_at=day(3, 15))

    assert listed(admin_client, RUNS, site__id__exact=other_site.pk) == {stopped}
    assert listed(admin_client, RUNS, message_type="course_update") == {under_way}
    assert listed(admin_client, RUNS, state="finished") == {finished}
    assert listed(admin_client, RUNS, state="under-way") == {under_way}
    assert listed(admin_client, RUNS, state="stopped") == {stopped}
    assert listed(admin_client, RUNS, date__year=2026, date__month=3, date__day=16) == {under_way}
    assert listed(admin_client, RUNS, q=str(finished.pk)) == {finished}
    assert listed(admin_client, RUNS, q="alice") == set()
    assert listed(admin_client, RUNS, q=" ") == {finished, under_way, stopped}


def test_a_run_that_was_stopped_says_why(admin_client, site):
    run = run_of(site, counts={"stopped": "enqueue-disabled"})

    assert "Stopped: enqueue-disabled" in admin_client.get(reverse(RUNS)).text
    assert (
        "Stopped: enqueue-disabled" in admin_client.get(reverse("admin:schedules_sendrun_change", args=[run.pk])).text
    )


def test_the_ledger_asks_the_database_as_often_for_fifty_messages_as_for_one(admin_client, site):
    message(run_of(site))
    for_one = count_queries(admin_client, MESSAGES)
    for number in range(49):
        message(run_of(site), f"learner{number}")

    assert count_queries(admin_client, MESSAGES) == for_one
    assert len(listed(admin_client, MESSAGES)) == 50


def test_the_list_of_runs_asks_the_database_as_often_for_fifty_runs_as_for_one(admin_client, site):
    run_of(site, counts=COUNTS)
    for_one = count_queries(admin_client, RUNS)
    for _ in range(49):
        run_of(site, counts=COUNTS)

    assert count_queries(admin_client, RUNS) == for_one
    assert len(listed(admin_client, RUNS)) == 50
