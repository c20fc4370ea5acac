"""What a monitor asks over HTTP. Off unless the project includes `schedules.urls`."""

from __future__ import annotations

import logging

from django.contrib.sites.models import Site
from django.http import HttpRequest, JsonResponse
from django.utils import timezone, translation
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from schedules import languages
from schedules.conf import conf
from schedules.exceptions import ConfigurationError
from schedules.status import site_status

log = logging.getLogger(__name__)


@never_cache
@require_safe
def health(request: HttpRequest, site_domain: str) -> JsonResponse:  # noqa: ARG001 - Django's signature
    """As `schedules_status --json`: 200 when all is well, 503 with `problems`, 404 for a site that is not there."""
    try:
        conf.validate()
        site = Site.objects.filter(domain__iexact=site_domain).order_by("pk").first()
        if site is None:
            return JsonResponse({"problems": ["There is no such site."]}, status=404)
        with translation.override(languages.SOURCE):  # programs read it
            status = site_status(site, timezone.now())
    except ConfigurationError as error:  # anybody may read this page; what is wrong is for the log
        log.error("The health page cannot answer: %s", error)
        return JsonResponse({"problems": ["The settings cannot be used; manage.py check says why."]}, status=503)
    return JsonResponse(status.as_dict(), status=503 if status.problems else 200)
