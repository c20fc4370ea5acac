"""The page for a monitor."""

from __future__ import annotations

from django.urls import path

from schedules import views

app_name = "schedules"

urlpatterns = [path("health/<str:site_domain>", views.health, name="health")]
