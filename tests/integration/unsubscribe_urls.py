"""The admin, and of the app's pages the one where learners leave."""

from django.urls import include, path

from tests.integration.admin_urls import urlpatterns as admin_urlpatterns

urlpatterns = [*admin_urlpatterns, path("leave/", include("schedules.urls.unsubscribe"))]
