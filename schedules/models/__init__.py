"""What the app stores."""

from schedules.models.channel_trouble import ChannelTrouble
from schedules.models.config import (
    CourseDynamicUpgradeDeadlineConfiguration,
    DynamicUpgradeDeadlineConfiguration,
    MessageTypeSwitch,
    OrgDynamicUpgradeDeadlineConfiguration,
    ScheduleConfig,
    WaffleFlagCourseOverride,
    WaffleFlagOrgOverride,
)
from schedules.models.custom_text import CustomText
from schedules.models.ledger import ScheduledMessage, SendRun
from schedules.models.optout import OptOut
from schedules.models.rate_limit import ChannelRate
from schedules.models.report import Report
from schedules.models.schedule import CourseChange, HoldBack, Schedule, ScheduleExperience, database

__all__ = [
    "ChannelRate",
    "ChannelTrouble",
    "CourseChange",
    "CourseDynamicUpgradeDeadlineConfiguration",
    "CustomText",
    "DynamicUpgradeDeadlineConfiguration",
    "HoldBack",
    "MessageTypeSwitch",
    "OptOut",
    "OrgDynamicUpgradeDeadlineConfiguration",
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
