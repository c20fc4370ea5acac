"""What is switched on: a site's stages, and waffle flags with their course and organization overrides."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from operator import itemgetter

from django.contrib.sites.models import Site
from waffle import get_waffle_flag_model

from schedules.database.transient import outlasting
from schedules.models import MessageTypeSwitch, ScheduleConfig, WaffleFlagCourseOverride, WaffleFlagOrgOverride

CREATE_SCHEDULES_FLAG = "schedules.create_schedules_for_course"
DEBUGGING_FLAG = "schedules.enable_debugging"

#: The message types whose switches are columns of `ScheduleConfig`; any other has rows of `MessageTypeSwitch`.
WITH_COLUMNS = tuple(
    field.name.removeprefix("enqueue_") for field in ScheduleConfig._meta.fields if field.name.startswith("enqueue_")
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Switches:
    """A message type's switches on a site, and since when learners are looked for (`None`: they are not)."""

    message_type: str
    is_enqueuing: bool
    is_delivering: bool
    enqueuing_since: datetime | None


def is_creating(site: Site, course_id: str, org: str) -> bool:
    """Whether an enrollment gets a schedule: by the site's configuration or by the flag, either is enough."""
    return ScheduleConfig.current(site).create_schedules or is_flag_on(
        CREATE_SCHEDULES_FLAG, course_id=course_id, org=org
    )


def is_enqueuing(site: Site, message_type: str) -> bool:
    """Whether the learners due for `message_type` are looked for."""
    return _switch(site, message_type, "enqueue")


def is_delivering(site: Site, message_type: str) -> bool:
    """Whether messages of `message_type` are sent."""
    return _switch(site, message_type, "deliver")


@outlasting
def _switch(site: Site, message_type: str, stage: str) -> bool:
    if message_type in WITH_COLUMNS:
        return bool(getattr(ScheduleConfig.current(site), f"{stage}_{message_type}"))
    return bool(getattr(MessageTypeSwitch.current(site, message_type), stage))


def switches(site_ids: Collection[int]) -> dict[int, list[Switches]]:
    """Site's id -> the switches of its message types, in two queries: those of `ScheduleConfig`, then the others."""
    history: dict[tuple[int, str], list[tuple[bool, bool, datetime | None]]] = {
        (site_id, message_type): [] for site_id in site_ids for message_type in WITH_COLUMNS
    }
    for config in ScheduleConfig.objects.filter(site__in=site_ids).order_by("-pk"):
        for key in WITH_COLUMNS:
            is_enqueuing, is_delivering = getattr(config, f"enqueue_{key}"), getattr(config, f"deliver_{key}")
            history[config.site_id, key].append((is_enqueuing, is_delivering, config.change_date))
    for row in MessageTypeSwitch.objects.filter(site__in=site_ids).order_by("message_type", "-pk"):
        rows = history.setdefault((row.site_id, row.message_type), [])
        rows.append((row.enqueue, row.deliver, row.change_date))
    found: dict[int, list[Switches]] = {site_id: [] for site_id in site_ids}
    for (site_id, message_type), rows in history.items():
        is_enqueuing, is_delivering, _ = rows[0] if rows else (False, False, None)
        since = [changed_at for is_on, _, changed_at in takewhile(itemgetter(0), rows)]
        found[site_id].append(
            Switches(
                message_type=message_type,
                is_enqueuing=is_enqueuing,
                is_delivering=is_delivering,
                enqueuing_since=since[-1] if since else None,
            )
        )
    return found


def is_flag_on(name: str, *, course_id: str, org: str) -> bool:
    """The first that is set wins: the course's override, the organization's, the flag itself, else off."""
    for model, part in ((WaffleFlagCourseOverride, course_id), (WaffleFlagOrgOverride, org)):
        override = model.current(name, part)
        if override.enabled:  # a disabled row sets nothing
            return override.is_on
    return is_flag_on_everywhere(name)


def is_flag_on_everywhere(name: str) -> bool:
    """Whether the flag is on for *everyone*: outside a request, waffle's other conditions have nobody to ask about."""
    return get_waffle_flag_model().get(name).everyone is True


def is_debugging() -> bool:
    """Whether messages are built with log level DEBUG."""
    return is_flag_on_everywhere(DEBUGGING_FLAG)
