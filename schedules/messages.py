"""All that an author of message types and gates imports. Public, with `api`, `host`, `signals` and `testing`."""

from __future__ import annotations

from schedules.exceptions import DeliveryError, SkipRecipient
from schedules.finding.facts import Facts, Moment
from schedules.gates import Answer, Gate, no, yes
from schedules.gates.upgrade import CanUpgrade
from schedules.message_types.context import course_url, deadline_text, upsell_context
from schedules.message_types.resolver import DueCourse, Resolver
from schedules.models import Schedule
from schedules.previewing import Preview, preview, sample_message
from schedules.values.data import ExperienceType

__all__ = [
    "Answer",
    "CanUpgrade",
    "DeliveryError",
    "DueCourse",
    "ExperienceType",
    "Facts",
    "Gate",
    "Moment",
    "Preview",
    "Resolver",
    "Schedule",
    "SkipRecipient",
    "course_url",
    "deadline_text",
    "no",
    "preview",
    "sample_message",
    "upsell_context",
    "yes",
]
