"""The pages that the e-mails' links lead to: dashboard, course home, upgrade, e-mail settings."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from opaque_keys.edx.keys import CourseKey

from schedules.contrib.lms.models import VERIFIED, Course, CourseEmailOptout, CourseEnrollment, CourseMode

View = Callable[..., HttpResponse]


def _about_course(view: View) -> View:
    """The view gets the course in place of its id; an unknown one gets a plain page."""

    @wraps(view)
    def with_course(request: HttpRequest, course_id: CourseKey) -> HttpResponse:
        course = Course.objects.filter(pk=course_id).first()
        if course is None:
            return render(request, "schedules_lms/no_course.html", {"course_id": course_id}, status=404)
        return view(request, course)

    return login_required(with_course)


@login_required
@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """A learner's courses, each with a way to its home page and to its e-mail settings."""
    enrollments = CourseEnrollment.objects.filter(user=_user(request), is_active=True).select_related("course")
    opted_out = set(CourseEmailOptout.objects.filter(user=_user(request)).values_list("course_id", flat=True))
    rows = [
        {"enrollment": enrollment, "course": enrollment.course, "gets_email": enrollment.course_id not in opted_out}
        for enrollment in enrollments.order_by("course__display_name", "course_id")
    ]
    return render(request, "schedules_lms/dashboard.html", {"rows": rows})


@_about_course
@require_safe
def course_home(request: HttpRequest, course: Course) -> HttpResponse:
    """The course with its weekly highlights."""
    sections = course.sections.filter(hide_from_toc=False)
    if not request.user.is_staff:
        sections = sections.filter(visible_to_staff_only=False)
    enrollment = _enrollment(request, course)
    context = {"course": course, "sections": sections, "enrollment": enrollment, "offer": _offer(course, enrollment)}
    return render(request, "schedules_lms/course.html", context)


@require_POST
@_about_course
def enrollment(request: HttpRequest, course: Course) -> HttpResponse:
    """Enroll, enroll again, or leave: `is_active` says which."""
    is_active = request.POST.get("is_active") == "yes"
    row = _enrollment(request, course, any_state=True) or CourseEnrollment(user=_user(request), course=course)
    if row.is_active != is_active or row.pk is None:
        row.is_active = is_active
        row.save()
    messages.success(request, _("You are enrolled.") if is_active else _("You have left the course."))
    return redirect("schedules_lms:course", course.pk)


@_about_course
@require_http_methods(["GET", "HEAD", "POST"])
def upgrade(request: HttpRequest, course: Course) -> HttpResponse:
    """The offer of a verified certificate; posting accepts it (nothing is paid in the embedded LMS)."""
    row = _enrollment(request, course)
    offer = _offer(course, row)
    if request.method == "POST" and offer is not None and row is not None:
        row.mode = VERIFIED
        row.save()
        messages.success(request, _("You are working toward a verified certificate."))
        return redirect("schedules_lms:course", course.pk)
    return render(request, "schedules_lms/upgrade.html", {"course": course, "offer": offer, "enrollment": row})


@_about_course
@require_http_methods(["GET", "HEAD", "POST"])
def email_settings(request: HttpRequest, course: Course) -> HttpResponse:
    """Whether the learner wants e-mail about the course. Looking changes nothing: mail scanners follow links."""
    mine = CourseEmailOptout.objects.filter(user=_user(request), course=course)
    if request.method == "POST":
        if request.POST.get("wants_email") == "yes":
            mine.delete()
        else:
            CourseEmailOptout.objects.get_or_create(user=_user(request), course=course)
        messages.success(request, _("Your choice is saved."))
        return redirect("schedules_lms:email", course.pk)
    return render(request, "schedules_lms/email.html", {"course": course, "gets_email": not mine.exists()})


def _enrollment(request: HttpRequest, course: Course, *, any_state: bool = False) -> CourseEnrollment | None:
    mine = CourseEnrollment.objects.filter(user=_user(request), course=course)
    return mine.first() if any_state else mine.filter(is_active=True).first()


def _offer(course: Course, enrollment: CourseEnrollment | None) -> CourseMode | None:
    """The verified mode, while it may still be bought."""
    if enrollment is None or enrollment.mode == VERIFIED:
        return None
    mode = CourseMode.objects.filter(course=course, mode_slug=VERIFIED).first()
    is_open = mode is not None and (mode.expiration_datetime is None or mode.expiration_datetime > timezone.now())
    return mode if is_open else None


def _user(request: HttpRequest) -> Any:
    """The learner; every view here asks to sign in first."""
    return request.user
