"""The admin, the pages of `schedules`, and the embedded LMS's pages, where the e-mails' links lead."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("schedules/", include("schedules.urls")),
    path("", include("schedules.contrib.lms.urls")),
]
