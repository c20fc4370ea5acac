"""Custom text that tests store."""

from django.contrib.sites.models import Site

from schedules.models import CustomText

NUDGE = "recurringnudge_day3"


def write(site=None, message_name=NUDGE, **values):
    """Words that count; without words of its own, a subject."""
    if not values.keys() & {"subject", "intro", "button_label"}:
        values["subject"] = "Custom text"
    site = site or Site.objects.get()
    row = CustomText(**{"site": site, "message_name": message_name, "enabled": True, **values})
    row.save()
    return row
