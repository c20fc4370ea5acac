"""Where links and pixels of messages lead, so that clicks and opens are recorded."""

from __future__ import annotations

from django.urls import path, re_path

from schedules import views

app_name = "schedules"

urlpatterns = [
    re_path(r"^click/(?P<token>[^/]+)/(?P<page_path>.*)$", views.click, name="click"),
    path("open/<str:token>.gif", views.open_pixel, name="open"),
]
