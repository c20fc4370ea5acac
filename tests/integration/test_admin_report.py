"""Reports in the admin and on a terminal: the same numbers on the page, as CSV and as JSON."""

import csv
import io
import json
import re
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.sites.models import Site
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from schedules.exceptions import HostError
from schedules.models import Schedule
from schedules.reporting import tables
from schedules.reporting.words import points
from tests.integration.report_world import BOTANY, CHESS, FIRST, LAST, message, two_groups

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.integration.admin_urls")]

REPORT = "admin:schedules_report_changelist"
PERIOD = {"first_day": str(FIRST), "last_day": str(LAST)}


@pytest.fixture
def site():
    return Site.objects.get()


@pytest.fixture
def ledger(site):
    message(site, done=("opened", "clicked"))
    message(site, learner="bob", done=("opened",))
    message(site, "courseupdate", learner="bob", day=LAST, course_ids=[CHESS])
    message(site, status="skipped", reason="opted-out", learner="carol")
    message(site, status="failed", reason="channel-refused", detail={"answer": "550"}, learner="dan")
    message(site, status="claimed", learner="erin")


@pytest.fixture
def compared(site, ledger):
    """There are groups to compare."""
    two_groups(site)


@pytest.fixture
def show(admin_client):
    return lambda **query: admin_client.get(reverse(REPORT), {**PERIOD, **query})


def table_on(page, heading):
    """The rows of a table of the page, as lists of texts."""
    part = page.split(f'id="{heading}"')[1].split("<table")[1].split("</table>")[0]
    rows = re.findall(r"<tr>(.*?)</tr>", part, re.S)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S) for row in rows]
    return [[unescape(re.sub(r"<[^>]+>", "", cell)).strip() for cell in row] for row in cells]


# The page -----------------------------------------------------------------------------------------


def test_the_page_says_what_became_of_the_messages(show, ledger):
    page = show().text
    figures = re.findall(r"<dt>(.*?)</dt>\s*<dd><strong>(.*?)</strong>(?: <span>(.*?)</span>)?", page)
    assert figures == [
        ("Learners reached", "2", ""),
        ("Sent", "3", ""),
        ("Opened (machines included)", "2", "66.7 % of those sent"),
        ("Clicked (machines included)", "1", "33.3 % of those sent"),
        ("Opted out", "0", "0.0 % of those sent"),
        ("Skipped", "1", ""),
        ("Failed", "1", ""),
        ("Pending", "1", ""),
    ]
    by_message = table_on(page, "report-messages")
    assert by_message[1:] == [
        ["courseupdate", "1", "0", "0", "0", "0", "0", "0"],
        ["recurringnudge_day3", "2", "2", "1", "0", "1", "1", "1"],
        ["In all", "3", "2", "1", "0", "1", "1", "1"],
    ]
    assert [row[:2] for row in table_on(page, "report-days")[1:]] == [
        ["March 1, 2026", "2"],
        ["March 2, 2026", "0"],
        ["March 3, 2026", "0"],
        ["March 4, 2026", "0"],
        ["March 5, 2026", "1"],
        ["In all", "3"],
    ]
    assert page.count('role="img"') == 2


def test_what_nobody_notes_is_told_from_none(site, show, settings):
    message(site)
    texts = {figure["label"]: figure.get("share") for figure in show().context["figures"]}
    assert texts["Opened (machines included)"] == "not recorded: TRACK_OPENS is off"
    assert texts["Clicked (machines included)"] == "0.0 % of those sent"
    settings.SCHEDULES = {"TRACK_OPENS": True, "TRACK_CLICKS": False}
    texts = {figure["label"]: figure.get("share") for figure in show().context["figures"]}
    assert texts["Opened (machines included)"] == "0.0 % of those sent"
    assert texts["Clicked (machines included)"] == "not recorded: TRACK_CLICKS is off"
    message(site, learner="bob", done=("clicked",))  # recorded when it was on
    texts = {figure["label"]: figure.get("share") for figure in show().context["figures"]}
    assert texts["Clicked (machines included)"] == "50.0 % of those sent"


def test_reasons_lead_to_their_messages_in_the_ledger(show, admin_client, site, ledger):
    page = show(message="recurringnudge_day3").text
    links = re.findall(r'<th scope="row"><a href="([^"]+)">([\w-]+)</a>', page)
    assert [reason for _, reason in links] == ["opted-out", "channel-refused"]
    for url, _ in links:
        listed = admin_client.get(unescape(url)).context["cl"].result_list
        assert len(listed) == 1
        assert "type=recurring_nudge" in url


def test_links_to_the_ledger_are_for_those_who_may_view_it(client, site, ledger):
    staff = User.objects.create(username="dana", is_staff=True)
    client.force_login(staff)
    staff.user_permissions.add(Permission.objects.get(codename="view_report"))
    page = client.get(reverse(REPORT), PERIOD).text
    assert '<th scope="row">opted-out<br>' in page
    assert "scheduledmessage" not in page


def test_a_report_needs_its_own_permission(client, site):
    staff = User.objects.create(username="dana", is_staff=True)
    client.force_login(staff)
    staff.user_permissions.add(Permission.objects.get(codename="view_sendrun"))
    assert client.get(reverse(REPORT)).status_code == 403
    assert client.get(reverse(REPORT), {"format": "csv", "table": "days"}).status_code == 403
    assert reverse(REPORT) not in client.get(reverse("admin:index")).text
    staff.user_permissions.set([Permission.objects.get(codename="view_report")])
    assert client.get(reverse(REPORT)).status_code == 200
    assert f'<a href="{reverse(REPORT)}"' in client.get(reverse("admin:index")).text
    client.logout()
    assert client.get(reverse(REPORT)).status_code == 302


def test_a_report_is_only_looked_at(admin_client, site):
    assert admin_client.head(reverse(REPORT)).status_code == 200
    for method in (admin_client.post, admin_client.put, admin_client.delete):
        assert method(reverse(REPORT)).status_code == 405
    assert admin_client.get(reverse(REPORT) + "add/").status_code == 404


def test_without_a_query_it_is_the_last_thirty_days_of_the_default_site(admin_client, site, settings):
    settings.SCHEDULES = {**settings.SCHEDULES, "TIME_ZONE": "Pacific/Kiritimati"}  # a day ahead for most of the day
    Site.objects.create(domain="a.example.com", name="A")
    scope = admin_client.get(reverse(REPORT)).context["report"].scope
    assert scope.site == site
    assert scope.last_day == (timezone.now() + timedelta(hours=14)).date()
    assert scope.last_day - scope.first_day == timedelta(days=29)
    assert (scope.message_name, scope.course_id) == ("", "")


def test_a_report_is_narrowed_down(show, site, ledger):
    river = Site.objects.create(domain="river.example.com", name="River")
    assert show(site=river.pk).context["report"].total.messages == 0
    assert "The ledger has no such messages." in show(site=river.pk).text
    assert show(message="courseupdate").context["report"].total.messages == 1
    assert show(course=f" {CHESS} ").context["report"].total.messages == 1
    assert show(course=BOTANY, message="courseupdate").context["report"].total.messages == 0
    assert show(first_day=str(LAST)).context["report"].total.messages == 1


@pytest.mark.parametrize(
    ("query", "field", "said"),
    [
        ({"last_day": "2026-02-28"}, "last_day", "The last day is before the first one."),
        ({"first_day": "2023-01-01"}, "first_day", "The period is longer than 731 days. Choose a shorter one."),
        ({"first_day": "2026-02-30"}, "first_day", "Enter a valid date."),
        ({"last_day": ""}, "last_day", "This field is required."),
        ({"site": "77"}, "site", "Select a valid choice."),
        ({"site": "x"}, "site", "Select a valid choice."),
        ({"message": "<b>no</b>"}, "message", "&lt;b&gt;no&lt;/b&gt; is not one of the available choices."),
        ({"course": "x" * 256}, "course", "Ensure this value has at most 255 characters"),
        ({"course": "a\x00b"}, "course", "Null characters are not allowed."),
    ],
)
def test_mistakes_are_told_at_their_fields(show, site, query, field, said):
    answer = show(**query)
    assert answer.status_code == 200
    assert "report" not in answer.context
    told = answer.text.split(f'field-{field}">')[1].split("</ul>")[0]
    assert said in told
    assert show(**query, format="csv", table="days").status_code == 400


def test_two_years_are_a_report(show, site):
    assert len(show(first_day="2024-03-05").context["report"].days) == 731


def test_what_was_asked_for_is_escaped(show, site, ledger):
    page = show(course="<script>alert(1)</script>").text
    assert "<script>alert" not in page


def test_fifty_messages_cost_as_many_queries_as_one(show, site):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert show().status_code == 200
        return len(captured)

    message(site)
    queries()  # who is signed in, and what is cached
    for_one = queries()
    for number in range(49):
        message(site, "courseupdate" if number % 2 else "recurringnudge_day10", learner=f"learner{number}")
    assert queries() == for_one


# The comparison -----------------------------------------------------------------------------------


def test_groups_are_compared_when_asked_and_only_then(show, compared):
    page = show().text
    assert "&amp;compare=1#report-comparison" in page
    assert "Came back" not in page
    page = show(compare=1, course=BOTANY).text
    assert "Learners with a schedule: 1,900. Held back at random: 200." in page
    assert table_on(page, "report-comparison")[1:] == [
        ["Came back", "240 of 1,900: 12.6 %", "16 of 200: 8.0 %", "+4.6", "−0.2 to +8.0"],
        ["Upgraded", "3 of 1,900: 0.2 %", "0 of 200: 0.0 %", "+0.2", "−1.7 to +0.5"],
        ["Completed", "0 of 1,900: 0.0 %", "0 of 200: 0.0 %", "0.0", "−1.9 to +0.2"],
    ]
    assert "<strong>Completed:</strong> Too little data" in page
    assert "No learner of these days can be compared." in show(compare=1, course=CHESS).text


def test_a_group_of_nobody_has_no_share_and_no_difference(show, site):
    two_groups(site, scheduled=0)
    assert table_on(show(compare=1).text, "report-comparison")[1] == [
        "Came back",
        "0 of 0",
        "16 of 200: 8.0 %",
        "–",
        "–",
    ]


def test_where_there_is_nothing_to_compare_the_notes_say_why(show, site):
    page = show(compare=1).text
    assert "There is no control group: no learner has been held back so far." in page
    assert "95 % interval" not in page


@pytest.mark.parametrize("error", [HostError, OSError])
def test_an_lms_that_does_not_answer_costs_the_comparison_alone(show, compared, change_host, caplog, error):
    found = error("alice@learners.example.com is odd")

    def refuse(answer):
        raise found

    change_host("site_values", refuse)
    answer = show(compare=1)
    assert "The LMS did not answer" in answer.text
    assert table_on(answer.text, "report-messages")
    assert show(format="json", table="comparison").status_code == 503
    assert "could not be compared: HostError" in caplog.text
    assert "alice@" not in caplog.text + answer.text


def test_a_narrowed_message_says_that_it_does_not_narrow_the_comparison(show, compared):
    assert "The message you chose makes no difference here" not in show(compare=1).text
    assert "The message you chose makes no difference here" in show(compare=1, message="courseupdate").text


def test_a_table_of_counts_asks_for_no_comparison(site, compared, change_host, capsys):
    asked = []
    change_host("progress", lambda answer, keys: asked.append(keys) or answer(keys))
    call_command("schedules_report", site.domain, "--compare", "--csv", "days")
    assert capsys.readouterr().out.startswith("day,")
    assert asked == []


def test_the_command_says_why_nothing_is_compared(compared, change_host):
    def refuse(answer):
        raise HostError("learner 7 is odd")

    change_host("site_values", refuse)
    with pytest.raises(CommandError, match="learner 7 is odd"):
        call_command("schedules_report", "example.com", compare=True)


@pytest.mark.parametrize(
    ("difference", "said"),
    [(0.0468, "+4.7"), (-0.0462, "−4.6"), (0.0004, "0.0"), (-0.0004, "0.0"), (0.0, "0.0"), (-1.0, "−100.0")],
)
def test_differences_are_rounded_and_have_a_sign(difference, said):
    assert points(difference) == said


# Files --------------------------------------------------------------------------------------------


def rows_of(answer):
    return list(csv.reader(io.StringIO(answer.content.decode())))


def test_files_hold_what_the_page_shows(show, ledger):
    page = show().text
    shown = {"messages": table_on(page, "report-messages")[1:-1], "days": table_on(page, "report-days")[1:-1]}
    for table, rows in shown.items():
        heading, *saved = rows_of(show(format="csv", table=table))
        document = show(format="json", table=table).json()
        assert [list(map(str, row.values())) for row in document[table]] == saved
        assert [list(row) for row in document[table]] == [heading] * len(rows)
        assert [row[1:] for row in saved] == [row[1:] for row in rows]
    reasons = [["skipped", "opted-out", "1"], ["failed", "channel-refused", "1"]]
    assert rows_of(show(format="csv", table="reasons")) == [["outcome", "reason", "count"], *reasons]


def test_documents_say_what_they_are_about(show, ledger):
    document = show(format="json", table="messages", course=CHESS).json()
    about = ["site", "first_day", "last_day", "message", "course"]
    assert list(document) == [*about, "learners_reached", "total", "messages"]
    assert [document[key] for key in about] == ["example.com", "2026-03-01", "2026-03-05", "", CHESS]
    assert document["learners_reached"] == document["total"]["sent"] == 1


def test_the_comparison_is_a_file_too(show, site):
    two_groups(site)
    _, came_back, *_ = rows_of(show(format="csv", table="comparison"))
    assert came_back[:4] == ["came_back", "240", "1900", str(240 / 1900)]
    document = show(format="json", table="comparison").json()["comparison"]
    assert document["effects"][0]["scheduled"] == {"count": 240, "of": 1900, "rate": 240 / 1900}
    assert document["notes"] == []
    Schedule.objects.all().delete()
    nothing = dict(zip(*rows_of(show(format="csv", table="comparison"))[:2], strict=True))
    assert nothing["difference"] == ""
    document = show(format="json", table="comparison").json()["comparison"]
    assert document["effects"][0]["low"] is None


def test_files_have_names_and_kinds(show, ledger):
    answer = show(format="csv", table="days")
    assert answer["Content-Type"].startswith("text/csv; charset=utf-8")
    assert answer["Content-Disposition"] == 'attachment; filename="days-2026-03-01-2026-03-05.csv"'
    assert show(format="json", table="days")["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "query", [{"format": "xls", "table": "days"}, {"format": "csv"}, {"format": "csv", "table": "x"}]
)
def test_other_files_are_refused(show, site, query):
    answer = show(**query)
    assert answer.status_code == 400
    assert "messages, days, reasons, comparison" in answer.text


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\r=1"])
def test_no_text_is_a_formula_in_a_spreadsheet(text):
    table = tables.Table(columns=("text", "number"), rows=((text, -0.5), (f"a{text}", None)))
    rows = list(csv.reader(io.StringIO(tables.to_csv(table), newline="")))
    assert rows[1:] == [[f"'{text}", "-0.5"], [f"a{text}", ""]]


def test_reasons_go_through_the_same_guard(show, site):
    message(site, status="failed", reason="=cmd|calc")
    assert rows_of(show(format="csv", table="reasons"))[1] == ["failed", "'=cmd|calc", "1"]


# The command --------------------------------------------------------------------------------------


def run(capsys, *options):
    call_command("schedules_report", "Example.com", "--from", str(FIRST), "--to", str(LAST), *options)
    return capsys.readouterr().out


def test_the_command_prints_what_the_page_shows(show, ledger, capsys):
    page = show().text
    lines = [re.split(r" {2,}", line) for line in run(capsys).splitlines()]
    assert lines[0] == ["example.com, 2026-03-01 to 2026-03-05"]
    for row in table_on(page, "report-messages")[1:-1]:
        assert row in lines
    assert ["in all", "3", "2", "1", "0", "1", "1", "1"] in lines
    assert ["2026-03-05", "1", "0", "0", "0", "0", "0", "0"] in lines
    assert not [line for line in lines if line[0] == "2026-03-03"]
    assert ["failed", "channel-refused", "1"] in lines
    assert ["Opened (machines included): 66.7 % of those sent"] in lines


def test_the_command_s_files_are_the_page_s(show, compared, capsys):
    for table in tables.TABLE_NAMES:
        assert run(capsys, "--csv", table) == show(format="csv", table=table).content.decode()
    whole = json.loads(run(capsys, "--json", "--compare"))
    for table in tables.TABLE_NAMES:
        document = show(format="json", table=table).json()
        assert {key: whole[key] for key in document} == document
    assert "comparison" not in json.loads(run(capsys, "--json"))


def test_the_command_compares_when_asked(compared, capsys):
    assert "Held back at random" not in run(capsys)
    said = run(capsys, "--compare", "--course", BOTANY, "--message", "recurringnudge_day3")
    assert said.startswith(f"example.com, 2026-03-01 to 2026-03-05, recurringnudge_day3, about {BOTANY}\n")
    assert re.search(r"^came back +240 of 1900: 12.6 %  16 of 200: 8.0 %  \+4.6", said, re.M)
    assert "completed: Too little data" in said


def test_the_command_s_usual_period_is_thirty_days(site, capsys):
    call_command("schedules_report", "example.com", to="2026-03-30")
    assert capsys.readouterr().out.startswith("example.com, 2026-03-01 to 2026-03-30\n")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["nowhere"], "There is no site 'nowhere'. Sites: example.com."),
        (["example.com", "--message", "nudge"], "There is no message 'nudge'. Messages: courseupdate, recurringnudge"),
        (["example.com", "--message", ""], "There is no message ''. Messages: courseupdate, recurringnudge"),
        (["example.com", "--from", "1 March"], "--from: '1 March' cannot be used; give a day"),
        (["example.com", "--to", "2026-02-30"], "--to: '2026-02-30' cannot be used; give a day"),
        (["example.com", "--from", "2026-03-02", "--to", "2026-03-01"], "--from is 2026-03-02, which is later"),
        (["example.com", "--from", "2020-01-01", "--to", "2026-03-01"], "are more than 731 days; give fewer"),
        (["example.com", "--json", "--csv", "days"], "not allowed with argument"),
        (["example.com", "--csv", "x"], "invalid choice: 'x'"),
    ],
)
def test_what_cannot_be_meant_is_refused(site, options, said):
    with pytest.raises(CommandError, match=re.escape(said)):
        call_command("schedules_report", *options)


def test_reports_hold_no_personal_data(site, show, capsys):
    message(
        site,
        status="failed",
        reason="host-error",
        detail={"answer": "alice@learners.example.com is odd"},
        learner="alice",
    )
    said = (
        show().text.replace("admin@", "")
        + run(capsys)
        + run(capsys, "--json")
        + show(format="csv", table="reasons").text
    )
    assert "host-error" in said
    assert "alice" not in said
