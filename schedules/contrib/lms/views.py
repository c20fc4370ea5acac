"""The pages that the e-mails' links lead to: dashboard, course home, upgrade, e-mail settings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.sites.models import Site
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from opaque_keys import InvalidKeyError
from opaque_keys.edx.keys import CourseKey

from schedules import api
from schedules.contrib.lms.models import VERIFIED, Course, CourseEmailOptout, CourseEnrollment, CourseMode

View = Callable[..., HttpResponse]


def _about_course(view: View) -> View:
    """A learner's page: the view gets the course in place of its id; an unknown one gets a page that says so."""

    @wraps(view)
    def with_course(request: HttpRequest, course_id: str) -> HttpResponse:
        course = _find_course(course_id)
        if course is None:
            return render(request, "schedules_lms/no_course.html", {"course_id": course_id}, status=404)
        return view(request, course)

    return login_required(with_course)


@login_required
@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """A learner's courses, each with its links and whether e-mail is wanted."""
    mine = CourseEnrollment.objects.filter(user=_user(request), is_active=True).select_related("course")
    enrollments = list(mine.order_by("course__display_name", "course_id"))
    courses = [enrollment.course for enrollment in enrollments]
    opted_out = set(CourseEmailOptout.objects.filter(user=_user(request)).values_list("course_id", flat=True))
    about = api.opt_outs_about(_user(request).pk, {str(course.pk): course.org for course in courses})
    modes = CourseMode.objects.filter(mode_slug=VERIFIED, course__in=courses)
    sold = {mode.course_id for mode in modes if mode.is_open}
    rows = [
        {
            "course": enrollment.course,
            "is_verified": enrollment.mode == VERIFIED,
            "can_upgrade": enrollment.mode != VERIFIED and enrollment.course_id in sold,
            "gets_email": enrollment.course_id not in opted_out and not _is_stopped(about, enrollment.course),
            "gets_all": str(enrollment.course_id) not in about,
        }
        for enrollment in enrollments
    ]
    return render(request, "schedules_lms/dashboard.html", {"rows": rows})


@_about_course
@require_safe
def course_home(request: HttpRequest, course: Course) -> HttpResponse:
    """The course with its weekly highlights; what is for staff only is for them alone. Notes that the learner came."""
    enrollment = _enrollment(request, course)
    if enrollment:
        enrollment.note_visit(timezone.now())
    offer = _offer(course) if enrollment and enrollment.mode != VERIFIED else None
    sections = list(_outline(course, for_staff=_user(request).is_staff))
    context = {"course": course, "sections": sections, "enrollment": enrollment, "offer": offer}
    return render(request, "schedules_lms/course.html", context)


@require_POST
@_about_course
def enrollment(request: HttpRequest, course: Course) -> HttpResponse:
    """Enroll, enroll again, or leave: `is_active` says which. Doing it twice does nothing."""
    wants_in = request.POST.get("is_active") == "yes"
    row = _enrollment(request, course, is_active=None)
    if wants_in and (row is None or not row.is_active):
        row = row or CourseEnrollment(user=_user(request), course=course)
        row.is_active, row.enrolling_site_id = True, _site_id(request)
        # A second click at the same time finds the row taken: the learner is enrolled all the same.
        with suppress(IntegrityError), transaction.atomic():
            row.save()
        messages.success(request, _("You are enrolled."))
    elif not wants_in and row is not None and row.is_active:
        row.is_active = False
        row.save()
        messages.success(request, _("You have left the course."))
    return redirect(course)


@require_POST
@_about_course
def completion(request: HttpRequest, course: Course) -> HttpResponse:
    """The learner has finished the course. Saying it twice changes nothing."""
    mine = CourseEnrollment.objects.filter(user=_user(request), course=course, is_active=True, completed_at=None)
    if mine.update(completed_at=timezone.now()):
        messages.success(request, _("Well done! You have finished this course."))
    return redirect(course)


@_about_course
@require_http_methods(["GET", "HEAD", "POST"])
def upgrade(request: HttpRequest, course: Course) -> HttpResponse:
    """The offer of a verified certificate; posting accepts it (nothing is paid in the embedded LMS)."""
    row, offer = _enrollment(request, course), _offer(course)
    if request.method == "POST" and row is not None and offer is not None:
        row.mode = VERIFIED
        row.save()
        messages.success(request, _("You are working toward a verified certificate."))
        return redirect(course)
    is_verified = row is not None and row.mode == VERIFIED
    ends_at = offer and offer.expiration_datetime
    context = {
        "course": course,
        "offer": offer,
        "last_day": ends_at and api.last_day(ends_at),
        "enrollment": row,
        "is_verified": is_verified,
    }
    return render(request, "schedules_lms/upgrade.html", context)


@_about_course
@require_http_methods(["GET", "HEAD", "POST"])
def email_settings(request: HttpRequest, course: Course) -> HttpResponse:
    """Whether the learner wants e-mail about the course; a POST that does not say which changes it over.

    What the unsubscribe page stopped is shown and taken back here too. Looking changes nothing: mail scanners follow
    links.
    """
    opt_out = CourseEmailOptout.objects.filter(user=_user(request), course=course)
    about = api.opt_outs_about(_user(request).pk, {str(course.pk): course.org})
    scopes = about[str(course.pk)].scopes if about else ()
    of_course = [scope for scope in scopes if scope.course_id and not scope.message_type]
    is_course_stopped = opt_out.exists() or bool(of_course)
    if request.method == "POST":
        if "again" in request.POST:
            of_course = [scope for scope in scopes if _value(scope) == request.POST["again"]]
        elif request.POST.get("wants_email", "yes" if is_course_stopped else "no") == "yes":
            opt_out.delete()
        else:
            of_course = []
            CourseEmailOptout.objects.get_or_create(user=_user(request), course=course)
        for scope in of_course:
            api.opt_in(_user(request).pk, scope)
        messages.success(request, _("Your choice is saved."))
        return redirect("schedules_lms:email", course.pk)
    context = {
        "course": course,
        "gets_email": not is_course_stopped and not _is_stopped(about, course),
        "is_course_stopped": is_course_stopped,
        "is_site_stopped": any(not (scope.course_id or scope.message_type) for scope in scopes),
        "others": list(_in_words([scope for scope in scopes if scope not in of_course])),
    }
    return render(request, "schedules_lms/email.html", context)


def _is_stopped(about: Mapping[str, api.CourseOptOuts], course: Course) -> bool:
    """Whether `schedules` has nothing more to send about the course."""
    return str(course.pk) in about and about[str(course.pk)].is_stopped


def _value(scope: api.OptOutScope) -> str:
    """Stands for an opt-out in a form."""
    return f"{scope.site_id} {scope.course_id} {scope.message_type}"


def _in_words(scopes: Collection[api.OptOutScope]) -> Iterator[dict[str, Any]]:
    """Opt-outs wider or narrower than the course's: message type, course and site, as far as each names them."""
    sites, titles = Site.objects.in_bulk({scope.site_id for scope in scopes}), api.message_type_titles()
    for scope in scopes:
        yield {
            "value": _value(scope),
            "title": titles.get(scope.message_type, scope.message_type),
            "is_about_course": bool(scope.course_id),
            "site": sites[scope.site_id].name,
        }


def _find_course(course_id: str) -> Course | None:
    try:
        return Course.objects.filter(pk=CourseKey.from_string(course_id)).first()
    except InvalidKeyError:
        return None


def _outline(course: Course, *, for_staff: bool) -> Iterator[dict[str, Any]]:
    """The table of contents. `week`: of the message that carries the section's highlights; `None`: in none."""
    week = 0
    for section in course.sections.filter(hide_from_toc=False):
        if section.visible_to_staff_only and not for_staff:
            continue
        listed = section.highlights if isinstance(section.highlights, list) else []
        highlights = [text for raw in listed if isinstance(raw, str) and (text := raw.strip())]
        has_week = bool(highlights) and not section.visible_to_staff_only
        week += has_week
        yield {"name": section.display_name, "highlights": highlights, "week": week if has_week else None}


def _enrollment(request: HttpRequest, course: Course, *, is_active: bool | None = True) -> CourseEnrollment | None:
    """The learner's enrollment; `is_active` `None`: in whatever state."""
    mine = CourseEnrollment.objects.filter(user=_user(request), course=course)
    return (mine if is_active is None else mine.filter(is_active=is_active)).first()


def _offer(course: Course) -> CourseMode | None:
    """The verified mode, while it may still be bought."""
    mode = CourseMode.objects.filter(course=course, mode_slug=VERIFIED).first()
    return mode if mode is not None and mode.is_open else None


def _site_id(request: HttpRequest) -> int | None:
    """The site whose domain was visited, with its port or without; `None`: none, whatever `SITE_ID` says."""
    visited = request.get_host()
    domains = Q(domain__iexact=visited) | Q(domain__iexact=visited.rpartition(":")[0] or visited)
    return Site.objects.filter(domains).values_list("pk", flat=True).first()


def _user(request: HttpRequest) -> Any:
    """The learner; every view here asks to sign in first."""
    return request.user
