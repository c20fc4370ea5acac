"""The page behind the unsubscribe link of every message, for learners and their mail clients."""

from __future__ import annotations

from django.urls import path

from schedules import views

app_name = "schedules"

urlpatterns = [path("unsubscribe/<str:token>", views.unsubscribe, name="unsubscribe")]
