"""What the app stores."""

from schedules.models.config import (
    CourseDynamicUpgradeDeadlineConfiguration,
    DynamicUpgradeDeadlineConfiguration,
    MessageTypeSwitch,
    OrgDynamicUpgradeDeadlineConfiguration,
    ScheduleConfig,
    WaffleFlagCourseOverride,
    WaffleFlagOrgOverride,
)
from schedules.models.ledger import ScheduledMessage, SendRun
from schedules.models.optout import OptOut
from schedules.models.own_words import OwnWords
from schedules.models.pace import ChannelPace
from schedules.models.report import Report
from schedules.models.schedule import CourseChange, HoldBack, Schedule, ScheduleExperience, database
from schedules.models.trouble import ChannelTrouble

__all__ = [
    "ChannelPace",
    "ChannelTrouble",
    "CourseChange",
    "CourseDynamicUpgradeDeadlineConfiguration",
    "DynamicUpgradeDeadlineConfiguration",
    "HoldBack",
    "MessageTypeSwitch",
    "OptOut",
    "OrgDynamicUpgradeDeadlineConfiguration",
    "OwnWords",
    "Report",
    "Schedule",
    "ScheduleConfig",
    "ScheduleExperience",
    "ScheduledMessage",
    "SendRun",
    "WaffleFlagCourseOverride",
    "WaffleFlagOrgOverride",
    "database",
]
