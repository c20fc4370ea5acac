"""What is switched on: a site's stages, and waffle flags with their course and organization overrides."""

from __future__ import annotations

from django.contrib.sites.models import Site
from waffle import get_waffle_flag_model

from schedules.models import ScheduleConfig, WaffleFlagCourseOverride, WaffleFlagOrgOverride

CREATE_SCHEDULES_FLAG = "schedules.create_schedules_for_course"
DEBUGGING_FLAG = "schedules.enable_debugging"


def is_creating(site: Site, course_id: str, org: str) -> bool:
    """Whether an enrollment gets a schedule: by the site's configuration or by the flag, either is enough."""
    return ScheduleConfig.current(site).create_schedules or is_flag_on(
        CREATE_SCHEDULES_FLAG, course_id=course_id, org=org
    )


def is_enqueuing(site: Site, message_type: str) -> bool:
    """Whether the learners due for `message_type` are looked for."""
    return bool(getattr(ScheduleConfig.current(site), f"enqueue_{message_type}"))


def is_delivering(site: Site, message_type: str) -> bool:
    """Whether messages of `message_type` are sent."""
    return bool(getattr(ScheduleConfig.current(site), f"deliver_{message_type}"))


def is_flag_on(name: str, *, course_id: str, org: str) -> bool:
    """The first opinion wins: the course's override, the organization's, the flag itself, else off."""
    override = WaffleFlagCourseOverride.newest(waffle_flag=name, course_id=course_id) or WaffleFlagOrgOverride.newest(
        waffle_flag=name, org=org
    )
    return override.is_on if override else is_flag_on_everywhere(name)


def is_flag_on_everywhere(name: str) -> bool:
    """Whether the flag is on for *everyone*: outside a request, waffle's other conditions have nobody to ask about."""
    return get_waffle_flag_model().get(name).everyone is True


def is_debugging() -> bool:
    """Whether messages are built with log level DEBUG."""
    return is_flag_on_everywhere(DEBUGGING_FLAG)
