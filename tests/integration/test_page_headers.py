"""Every page of the app runs and loads nothing but its own, is framed nowhere, and tells no site of its reader."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest
from django.conf import settings

from schedules.models import CustomText, Schedule
from schedules.pages import policy
from schedules.previewing import gallery, preview
from schedules.unsubscribe.links import Token, page_path
from tests.world import enroll, make_course, make_learner, open_site

pytestmark = pytest.mark.django_db

COURSE = "/courses/course-v1:MeadowX+G1+2026/"


def directives(text: str) -> dict[str, str]:
    return dict(part.strip().partition(" ")[::2] for part in text.split(";"))


@pytest.fixture
def answers(client):
    """Name -> the answer of each page for learners, in each way that it can answer."""
    site, alice = open_site(), make_learner()
    enroll(alice, make_course("Garden", number="G1", price=9, weeks=[["dig"]]))
    leave = page_path(Token(alice.pk, site.pk, "recurring_nudge", "en", (Schedule.objects.get().pk,)))
    strangers = {
        "leave": client.get(leave),
        "left": client.post(leave, {"List-Unsubscribe": "One-Click"}),
        "no link": client.get("/schedules/unsubscribe/x"),
        "not allowed": client.put(leave),
        "click": client.get("/schedules/click/x/dashboard"),
        "open": client.get("/schedules/open/x.gif"),
        "health": client.get("/schedules/health/example.com"),
        "no site": client.get("/schedules/health/x"),
        "login": client.get("/login"),
        "wrong": client.post("/login", {"username": "x", "password": "y"}),
        "home": client.get("/"),
        "sign in first": client.get("/dashboard"),
    }
    client.force_login(alice)
    return strangers | {
        "dashboard": client.get("/dashboard"),
        "course": client.get(COURSE),
        "upgrade": client.get(f"{COURSE}upgrade"),
        "email": client.get(f"{COURSE}email"),
        "enrolled": client.post(f"{COURSE}enrollment", {"is_active": "yes"}),
        "no course": client.get("/courses/x/"),
        "logout": client.post("/logout"),
    }


def test_every_page_for_learners_has_the_headers(answers):
    for name, answer in answers.items():
        rules = directives(answer["Content-Security-Policy"])
        assert rules["default-src"] == rules["base-uri"] == rules["frame-ancestors"] == "'none'", name
        assert (rules["form-action"], rules["img-src"]) == ("'self'", "'self' data:"), name
        assert "script-src" not in rules
        assert "unsafe" not in answer["Content-Security-Policy"]
        assert answer["Referrer-Policy"] == "no-referrer", name
        assert answer["X-Content-Type-Options"] == "nosniff", name
        assert answer["X-Frame-Options"] == "DENY", name


def test_a_page_needs_no_more_than_its_policy_allows(answers):
    pages = {
        name: answer for name, answer in answers.items() if "text/html" in answer["Content-Type"] and answer.content
    }
    assert len(pages) > 8
    for name, answer in pages.items():
        html = answer.content.decode()
        (styles,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(styles.encode()).digest()).decode()
        assert directives(answer["Content-Security-Policy"])["style-src"] == f"'self' 'sha256-{digest}'", name
        assert re.findall(r"<script|<img|<iframe| style=| on\w+=|<link (?!rel=\"icon\" href=\"data:)", html) == [], name


def test_what_a_host_says_instead_of_our_styles_is_what_the_policy_allows(tmp_path, client):
    folder = tmp_path / "schedules" / "unsubscribe"
    folder.mkdir(parents=True)
    (folder / "styles.css").write_text("body { color: teal }")
    (engine,) = settings.TEMPLATES
    digest = base64.b64encode(hashlib.sha256(b"body { color: teal }").digest()).decode()
    from django.test import override_settings

    with override_settings(TEMPLATES=[{**engine, "DIRS": [tmp_path]}]):
        answer = client.get("/schedules/unsubscribe/x")
        assert "<style>body { color: teal }</style>" in answer.content.decode()
        assert f"style-src 'self' 'sha256-{digest}'" in answer["Content-Security-Policy"]


def test_the_headers_do_not_depend_on_the_projects_middleware(client, settings):
    others = {"SecurityMiddleware", "XFrameOptionsMiddleware"}
    settings.MIDDLEWARE = [path for path in settings.MIDDLEWARE if path.rpartition(".")[2] not in others]
    for path in ("/login", "/schedules/unsubscribe/x", "/schedules/health/x"):
        answer = client.get(path)
        assert (answer["X-Content-Type-Options"], answer["X-Frame-Options"]) == ("nosniff", "DENY")


def test_what_a_view_says_itself_stays():
    from django.http import HttpResponse

    from schedules.pages import secured

    @secured()
    def view(request):
        return HttpResponse(headers={"Content-Security-Policy": "default-src 'self'", "X-Frame-Options": "SAMEORIGIN"})

    answer = view(None)
    assert answer["Content-Security-Policy"] == "default-src 'self'"
    assert (answer["X-Frame-Options"], answer["Referrer-Policy"]) == ("SAMEORIGIN", "no-referrer")


def test_a_preview_of_custom_text_has_no_power_over_the_page_that_shows_it(admin_client):
    row = CustomText.objects.create(site_id=1, message_name="recurringnudge_day3", enabled=True, subject="Back")
    form = {"site": "1", "message_name": "recurringnudge_day3", "enabled": "on"}
    pages = [
        admin_client.get("/admin/schedules/customtext/add/"),
        admin_client.get(f"/admin/schedules/customtext/{row.pk}/change/"),
        admin_client.post("/admin/schedules/customtext/preview/", form),
        admin_client.post("/admin/schedules/customtext/preview/", form, headers={"accept": "application/json"}),
    ]
    for answer in pages:
        rules = directives(answer["Content-Security-Policy"])
        assert (rules["default-src"], rules["object-src"], rules["frame-ancestors"]) == ("'self'", "'none'", "'none'")
        assert "script-src" not in rules
        assert (answer["X-Content-Type-Options"], answer["Referrer-Policy"]) == ("nosniff", "same-origin")
    for answer in pages[:3]:
        assert re.findall(r"<iframe[^>]*>", answer.content.decode())
        for frame in re.findall(r"<iframe[^>]*>", answer.content.decode()):
            assert 'sandbox=""' in frame


def test_the_gallery_holds_its_messages_as_mail_programs_do(tmp_path):
    page = gallery.write(tmp_path, [preview("courseupdate", "en")]).read_text(encoding="utf-8")
    frames = re.findall(r"<iframe[^>]*>", page)
    assert len(frames) == 3
    assert all('sandbox="allow-same-origin"' in frame for frame in frames)
    rules = policy(
        styles="schedules/previews/styles.css", script="schedules/previews/script.js", more="frame-src 'self'"
    )
    assert rules.replace("'", "&#x27;") in page
    for palette in ("light", "dark"):
        message = (tmp_path / f"courseupdate.en.one_course.{palette}.html").read_text(encoding="utf-8")
        assert message.index("Content-Security-Policy") < message.index("<style")
        assert "default-src 'none'" in message


def test_no_page_of_the_demo_can_be_framed(admin_client):
    for path in ("/admin/", "/admin/schedules/report/", "/admin/login/", "/login"):
        assert admin_client.get(path)["X-Frame-Options"] == "DENY"
