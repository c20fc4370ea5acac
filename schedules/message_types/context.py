"""What contexts of message types have in common: where links lead, the upgrade that is offered, days in words."""

from __future__ import annotations

from typing import Any

from django.utils import formats

from schedules.conf import conf
from schedules.message_types.resolver import DueCourse, Resolver
from schedules.values.days import last_day
from schedules.values.links import absolute_url


def upsell_context(resolver: Resolver, due: DueCourse | None) -> dict[str, Any]:
    """The upgrade that is offered with a message: that of `due`, or none."""
    if due is None or not due.can_upgrade or due.links.upgrade is None:
        return {"show_upsell": False}
    return {
        "show_upsell": True,
        "upsell_course_name": due.course.name,
        "upsell_link": absolute_url(resolver.site.domain, due.links.upgrade),
        "user_schedule_upgrade_deadline_time": deadline_text(due),
    }


def deadline_text(due: DueCourse) -> str:
    """The last day of the upgrade, in the format of the language that is active."""
    deadline = due.schedule.upgrade_deadline
    return formats.date_format(last_day(deadline, conf.time_zone), "DATE_FORMAT") if deadline else ""


def course_url(resolver: Resolver, due: DueCourse) -> str:
    """The course home page: no redirect in between, so that tracking parameters survive."""
    return absolute_url(resolver.site.domain, due.links.home)
