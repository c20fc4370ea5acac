"""All pages of the app. A project includes them, such as at `schedules/`, or one module of this package alone."""

from __future__ import annotations

from schedules.urls import health, tracking, unsubscribe

app_name = "schedules"

urlpatterns = [*health.urlpatterns, *tracking.urlpatterns, *unsubscribe.urlpatterns]
