"""What nobody types and programs send: no page breaks, and no text reaches the database that PostgreSQL refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection
from django.urls import URLPattern, get_resolver, reverse

from schedules import api
from schedules.admin.config import KeyedConfigurationPage
from schedules.contrib.lms.models import Section, SiteConfiguration
from schedules.models import OptOut
from schedules.unsubscribe.links import Token, page_path
from schedules.values.outcomes import FailReason, failed
from schedules.values.text import one_line
from tests.world import TODAY, enroll, make_course, make_learner, open_site, send_nudges

pytestmark = pytest.mark.django_db

OUR_APPS = ("schedules", "schedules_lms")

#: A segment of a path or a value of a query, as it stands in a URL.
NUL = "a%00b"
LONG, MANY_DIGITS = "x" * 100_000, "9" * 5_000
STRANGE = [NUL, LONG, MANY_DIGITS, "%ff"]
SHORT = {value: value[:12] for value in STRANGE}


def texts_in(value) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for one in value:
            yield from texts_in(one)


@pytest.fixture
def refused_by_postgresql():
    """The statements that were run with a text that PostgreSQL refuses: with a NUL, also one that JSON has written as
    an escape, or with half of a character. Empty is right.
    """
    refused = []

    def watch(execute, sql, params, many, context):
        texts = "".join(texts_in(params))
        if re.search(r"[\0\ud800-\udfff]|(?<!\\)\\u(0000|d[89a-f])", texts):
            refused.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        yield refused


@pytest.fixture
def staff(admin_client):
    """Staff of a site where something has happened, so that the pages have rows to show."""
    open_site()
    alice = make_learner()
    enroll(alice, make_course("Garden", number="G1", weeks=[["dig"]], price=9))
    enroll(alice, make_course("Bees", number="B1"))
    send_nudges()
    admin_client.raise_request_exception = False
    return admin_client


def broken(client, urls) -> list[str]:
    return [url[:150] for url in dict.fromkeys(urls) if client.get(url).status_code >= 500]


# Pages --------------------------------------------------------------------------------------------


def routes(patterns, prefix="") -> Iterator[str]:
    """Every route, with its parameters as they stand in it."""
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield route
        else:
            yield from routes(pattern.url_patterns, route)


def paths_with(segment: str) -> Iterator[str]:
    """Every path of ours that has a place to fill, filled with this."""
    ours = tuple(f"admin/{label}/" for label in OUR_APPS)
    for route in routes(get_resolver().url_patterns):
        path = re.sub(r"<[^>]+>|\(\?P<\w+>[^)]*\)", lambda _: segment, route).strip("^$").replace("^", "")
        if segment in path and (route.startswith(ours) or not route.startswith("admin/")):
            yield f"/{path}"


def our_admins() -> list[admin.ModelAdmin]:
    return [one for one in admin.site._registry.values() if one.opts.app_label in OUR_APPS]


def queries_with(value: str) -> Iterator[str]:
    """Every page of ours that looks at its query, with this in each parameter that it knows."""
    for one in our_admins():
        page = f"/admin/{one.opts.app_label}/{one.opts.model_name}/"
        fields = [entry[0] if isinstance(entry, tuple) else entry for entry in one.list_filter]
        names = [entry if isinstance(entry, str) else entry.parameter_name for entry in fields]
        names += [one.date_hierarchy and f"{one.date_hierarchy}__year", "q", "p", "o", "pk__in", value]
        yield from (f"{page}?{name}={value}" for name in filter(None, names))
        if isinstance(one, KeyedConfigurationPage):
            yield f"{page}add/?source={value}"
        yield f"{page}add/?site={value}&user={value}&course_id={value}&_changelist_filters={value}"
    for name in ("site", "first_day", "last_day", "message", "course", "format", "table"):
        yield f"/admin/schedules/report/?{name}={value}"
    yield f"/admin/schedules/report/?first_day={value}&last_day={value}&course={value}&format=csv&table=days"
    course = "app_label=schedules_lms&model_name=courseenrollment&field_name=course"
    yield f"/admin/autocomplete/?term={value}&{course}"
    yield from (f"{path}?next={value}&{value}" for path in ("/login", "/dashboard", "/schedules/health/example.com"))
    yield from (f"/schedules/{path}?{value}" for path in ("open/x.gif", "click/x/dashboard", "unsubscribe/x"))


@pytest.mark.slow
@pytest.mark.parametrize("segment", STRANGE, ids=SHORT.get)
def test_no_path_breaks_a_page(staff, refused_by_postgresql, segment):
    paths = list(paths_with(segment))
    assert len(paths) > 50
    assert broken(staff, paths) == []
    assert refused_by_postgresql == []


@pytest.mark.slow
@pytest.mark.parametrize("value", STRANGE, ids=SHORT.get)
def test_no_query_breaks_a_page(staff, refused_by_postgresql, value):
    queries = list(queries_with(value))
    assert len(queries) > 100
    assert broken(staff, queries) == []
    assert refused_by_postgresql == []


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_no_day_of_the_calendar_breaks_a_page(staff, day):
    pages = [
        f"/admin/schedules/report/?first_day={day}&last_day={day}&compare=1",
        f"/admin/schedules/report/?first_day={day}&last_day={day}&format=json&table=days",
        f"/admin/schedules/scheduledmessage/?target_date={day}",
        f"/admin/schedules/sendrun/?date__gte={day}&date__lt={day}",
        f"/admin/schedules/sendrun/?date__year={day[:4]}&date__month={day[5:7]}&date__day={day[8:]}",
    ]
    assert broken(staff, pages) == []


@pytest.mark.parametrize("year", ["-1", "0", "10000"])
def test_a_year_that_no_calendar_has_is_no_page(staff, year):
    assert staff.get(f"/admin/schedules/scheduledmessage/?sent_at__year={year}").status_code in (302, 404)


@pytest.mark.parametrize("domain", [NUL, LONG, "%00", "%ff"], ids=SHORT.get)
def test_a_monitor_that_asks_about_no_site_gets_404(client, refused_by_postgresql, domain):
    open_site()
    answer = client.get(f"/schedules/health/{domain}")
    assert (answer.status_code, answer.json()) == (404, {"problems": ["There is no such site."]})
    assert refused_by_postgresql == []


@pytest.mark.parametrize("text", ["a\0b", "x" * 100_000], ids=["NUL", "long"])
def test_no_form_breaks_a_page(staff, refused_by_postgresql, text):
    alice, site = make_learner("carol"), open_site("campus.example.com")
    leave = page_path(Token(alice.pk, site.pk, "recurring_nudge", "en", ()))
    posts = [
        *((leave, {name: text}) for name in ("stop", "again", "List-Unsubscribe", text)),
        ("/login", {"username": text, "password": text, "next": text}),
        *(
            (f"/courses/course-v1:MeadowX+G1+2026/{page}", {name: text})
            for page, name in [
                ("email", "again"),
                ("email", "wants_email"),
                ("enrollment", "is_active"),
                ("upgrade", "x"),
            ]
        ),
        *(
            (f"/admin/{one.opts.app_label}/{one.opts.model_name}/", {"action": text, "_selected_action": text})
            for one in our_admins()
        ),
        *(
            (f"/admin/schedules/customtext/{page}/", {**WORDS, name: text})
            for page in ("preview", "send", "add")
            for name in WORDS
        ),
    ]
    assert [path for path, data in posts if staff.post(path, data).status_code >= 500] == []
    assert refused_by_postgresql == []
    assert not OptOut.objects.exclude(course_id="", message_type="recurring_nudge").exists()


WORDS = {
    "site": "1",
    "course_id": "",
    "message_name": "recurringnudge_day3",
    "language": "",
    "enabled": "on",
    "subject": "",
    "intro": "",
    "button_label": "",
    "_variant": "",
}


# What is stored as JSON ---------------------------------------------------------------------------


@pytest.mark.parametrize("value", ['"a\\u0000b"', '"\\ud800"', "1e999", "NaN", '{"\\u0000": 1}', '["\\udfff"]'])
def test_a_value_of_a_site_that_postgresql_refuses_is_a_mistake_in_the_form(staff, refused_by_postgresql, value):
    form = {"site": "1", "enabled": "on", "site_values": f'{{"PLATFORM_NAME": {value}}}'}
    page = staff.post(reverse("admin:schedules_lms_siteconfiguration_add"), form)
    assert page.status_code == 200
    assert page.context["adminform"].form.errors
    assert refused_by_postgresql == []
    with pytest.raises(ValidationError, match="NUL character"):
        SiteConfiguration(site_id=1, site_values=json.loads(value) if "{" in value else {"X": json.loads(value)}).save()


def test_a_highlight_that_postgresql_refuses_is_a_mistake(staff, refused_by_postgresql):
    for text in ("a\0b", "half \ud83c"):
        with pytest.raises(ValidationError, match="NUL character"):
            Section(course_id="course-v1:MeadowX+G1+2026", display_name="x", highlights=[text]).save()
    assert refused_by_postgresql == []


# Other doors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["exa\0mple.com", "half\udcff.com", "x" * 100_000], ids=["NUL", "half", "long"])
@pytest.mark.parametrize(
    "command",
    [
        lambda text: ("send_recurring_nudge", text),
        lambda text: ("schedules_status", text),
        lambda text: ("schedules_report", text),
        lambda text: ("schedules_report", "example.com", "--course", text),
        lambda text: ("schedules_report", "example.com", "--message", text),
        lambda text: ("schedules_report", "example.com", "--from", text),
        lambda text: ("preview_messages", "--site", text),
        lambda text: ("preview_messages", "--message", text),
        lambda text: ("send_recurring_nudge", "example.com", "--override-recipient-email", text),
        lambda text: ("send_recurring_nudge", "example.com", "--date", text),
    ],
)
def test_a_command_refuses_an_argument_that_nothing_can_be_called(refused_by_postgresql, command, text):
    open_site()
    with pytest.raises(CommandError):
        call_command(*command(text))
    assert refused_by_postgresql == []


def test_a_folder_that_no_file_system_has_is_refused(tmp_path):
    with pytest.raises(CommandError, match=r"--output is .*name a folder"):
        call_command("preview_messages", message=["courseupdate"], language=["en"], output=f"{tmp_path}/a\0b")


def test_an_opt_out_about_what_is_no_id_is_refused(refused_by_postgresql):
    with pytest.raises(ValueError, match="give ids that a database can store"):
        api.opt_out(make_learner().pk, api.OptOutScope(site_id=1, course_id="a\0b"))
    assert refused_by_postgresql == []


def test_an_organization_that_no_database_takes_stops_the_run_before_it_asks(refused_by_postgresql):
    site = open_site()
    SiteConfiguration.objects.bulk_create(
        [SiteConfiguration(site=site, enabled=True, site_values={"course_org_filter": "X"})]
    )
    SiteConfiguration.objects.update(site_values={"course_org_filter": ["a\ud800b"]})
    refused_by_postgresql.clear()
    with pytest.raises(CommandError, match="course_org_filter"):
        call_command("send_recurring_nudge", "example.com", date=TODAY.isoformat())
    assert refused_by_postgresql == []


def test_what_others_say_of_a_failure_is_kept_as_text_that_can_be_stored():
    assert one_line("a\0b\ud800c\ud83cd") == "a b c d"
    assert failed(FailReason.HOST_ERROR, "half\udfff of it").detail == (("answer", "half  of it"),)
