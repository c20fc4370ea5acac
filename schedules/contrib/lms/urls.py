"""The pages that the e-mails' links lead to. Include them at the root of the site."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path, register_converter
from django.views.generic import RedirectView

from schedules.api import secured
from schedules.contrib.lms import views
from schedules.contrib.lms.converters import CourseIdConverter

register_converter(CourseIdConverter, "course_id")

app_name = "schedules_lms"

_page = secured("schedules_lms/styles.css")

urlpatterns = [
    path("", _page(RedirectView.as_view(pattern_name="schedules_lms:dashboard")), name="home"),
    path(
        "login",
        _page(
            LoginView.as_view(
                template_name="schedules_lms/login.html",
                next_page="schedules_lms:dashboard",
                redirect_authenticated_user=True,
            )
        ),
        name="login",
    ),
    path("logout", _page(LogoutView.as_view(next_page="schedules_lms:login")), name="logout"),
    path("dashboard", _page(views.dashboard), name="dashboard"),
    path("courses/<course_id:course_id>/", _page(views.course_home), name="course"),
    path("courses/<course_id:course_id>/enrollment", _page(views.enrollment), name="enrollment"),
    path("courses/<course_id:course_id>/completion", _page(views.completion), name="completion"),
    path("courses/<course_id:course_id>/upgrade", _page(views.upgrade), name="upgrade"),
    path("courses/<course_id:course_id>/email", _page(views.email_settings), name="email"),
]
