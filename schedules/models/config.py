"""What staff switch in the admin: each change is a new row, with who made it.

`current()` reads the database each time: django-config-models would cache rows for ten minutes and, in
a worker, for as long as the process lives, so that a flag switched in the admin would go unseen.
"""

from __future__ import annotations

import hashlib
from typing import Any, Self

from config_models.models import ConfigurationModel
from django.conf import settings
from django.contrib.sites.models import Site
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from schedules.models.fields import ExactCharField


class FreshConfiguration(ConfigurationModel):
    """A configuration whose current row is always read afresh."""

    # As the library has it, but that it takes no name on the user: a host may have a model of the same name.
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        editable=False,
        related_name="+",
        # Translators: the staff member who changed a configuration.
        verbose_name=_("Changed by"),
    )

    class Meta(ConfigurationModel.Meta):
        abstract = True

    @classmethod
    def current(cls, *args: Any) -> Self:
        """The newest row for the key, or an unsaved one with every default."""
        key = dict(zip(cls.KEY_FIELDS, args, strict=True))
        return cls.objects.filter(**key).order_by("-pk").first() or cls(**key)

    @classmethod
    def cache_key_name(cls, *args: Any) -> str:
        """`save()` clears this cache key, though nothing reads it; hashed, any text makes a legal key."""
        digest = hashlib.sha256(repr(args).encode()).hexdigest()
        return f"configuration/{cls.__name__}/current/{digest}"


class ScheduleConfig(FreshConfiguration):
    """What one site does. No row: everything is off. The inherited `enabled` is not consulted.

    Personal data: who changed it (`changed_by`), a member of staff.
    """

    KEY_FIELDS = ("site",)

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="+", verbose_name=_("site"))
    create_schedules = models.BooleanField(
        _("create schedules"), default=False, help_text=_("Give each new enrollment a schedule.")
    )
    enqueue_recurring_nudge = models.BooleanField(_("find learners: recurring nudge"), default=False)
    deliver_recurring_nudge = models.BooleanField(_("send: recurring nudge"), default=False)
    enqueue_upgrade_reminder = models.BooleanField(_("find learners: upgrade reminder"), default=False)
    deliver_upgrade_reminder = models.BooleanField(_("send: upgrade reminder"), default=False)
    enqueue_course_update = models.BooleanField(_("find learners: course update"), default=False)
    deliver_course_update = models.BooleanField(_("send: course update"), default=False)
    hold_back_ratio = models.FloatField(
        _("hold-back ratio"),
        default=0,
        validators=[
            MinValueValidator(0, _("The ratio is a number from 0 (nobody) to 1 (everybody).")),
            MaxValueValidator(1, _("The ratio is a number from 0 (nobody) to 1 (everybody).")),
        ],
        help_text=_("Share of learners, from 0 to 1, who get no schedule so that they can be compared."),
    )

    class Meta(FreshConfiguration.Meta):
        verbose_name = _("schedule configuration")
        verbose_name_plural = _("schedule configurations")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(hold_back_ratio__gte=0, hold_back_ratio__lte=1), name="schedules_hold_back_ratio"
            )
        ]

    def __str__(self) -> str:
        return gettext("configuration of %(site)s") % {"site": self.site.domain}


class MessageTypeSwitch(FreshConfiguration):
    """The switches of one message type on one site, for types that `ScheduleConfig` has no columns for.

    No row: both are off. The inherited `enabled` is not consulted. Personal data: who changed it (`changed_by`), a
    member of staff.
    """

    KEY_FIELDS = ("site", "message_type")

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="+", verbose_name=_("site"))
    message_type = ExactCharField(_("message type"), max_length=50)
    enqueue = models.BooleanField(_("find learners"), default=False)
    deliver = models.BooleanField(_("send"), default=False)

    class Meta(FreshConfiguration.Meta):
        verbose_name = _("message type's switches")
        verbose_name_plural = _("message types' switches")

    def __str__(self) -> str:
        return gettext("%(message_type)s on %(site)s") % {"message_type": self.message_type, "site": self.site.domain}


class DeadlineConfiguration(FreshConfiguration):
    """Days from the start to the upgrade deadline. A row that is not enabled sets nothing."""

    deadline_days = models.PositiveSmallIntegerField(
        _("deadline in days"), default=21, help_text=_("Days from the learner's start to their upgrade deadline.")
    )

    class Meta(FreshConfiguration.Meta):
        abstract = True


class OptOutDeadlineConfiguration(DeadlineConfiguration):
    """What an organization or a course sets, which may be that there is no deadline at all."""

    opt_out = models.BooleanField(_("no deadline"), default=False, help_text=_("Set no upgrade deadlines here."))

    class Meta(DeadlineConfiguration.Meta):
        abstract = True


class DynamicUpgradeDeadlineConfiguration(DeadlineConfiguration):
    """What the whole platform sets. Personal data: `changed_by`, a member of staff."""

    class Meta(DeadlineConfiguration.Meta):
        verbose_name = _("upgrade deadline: platform")
        verbose_name_plural = _("upgrade deadlines: platform")

    def __str__(self) -> str:
        text = ngettext("%(day_count)d day", "%(day_count)d days", self.deadline_days)
        return text % {"day_count": self.deadline_days}


class OrgDynamicUpgradeDeadlineConfiguration(OptOutDeadlineConfiguration):
    """What one organization sets. Personal data: `changed_by`, a member of staff."""

    KEY_FIELDS = ("org_id",)

    org_id = ExactCharField(_("organization"), max_length=255, db_index=True)

    class Meta(OptOutDeadlineConfiguration.Meta):
        verbose_name = _("upgrade deadline: organization")
        verbose_name_plural = _("upgrade deadlines: organizations")

    def __str__(self) -> str:
        return self.org_id


class CourseDynamicUpgradeDeadlineConfiguration(OptOutDeadlineConfiguration):
    """What one course sets. Personal data: `changed_by`, a member of staff."""

    KEY_FIELDS = ("course_id",)

    course_id = ExactCharField(_("course"), max_length=255, db_index=True)

    class Meta(OptOutDeadlineConfiguration.Meta):
        verbose_name = _("upgrade deadline: course")
        verbose_name_plural = _("upgrade deadlines: courses")

    def __str__(self) -> str:
        return self.course_id


class FlagOverride(FreshConfiguration):
    """A waffle flag's answer for a part of the platform. A row that is not enabled sets nothing."""

    class Choice(models.TextChoices):
        ON = "on", _("On")
        OFF = "off", _("Off")

    waffle_flag = ExactCharField(_("flag"), max_length=100, db_index=True)
    override_choice = models.CharField(_("answer"), max_length=3, choices=Choice.choices, default=Choice.ON)

    class Meta(FreshConfiguration.Meta):
        abstract = True

    @property
    def is_on(self) -> bool:
        return self.override_choice == self.Choice.ON


class WaffleFlagOrgOverride(FlagOverride):
    """A flag's answer for one organization. Personal data: `changed_by`, a member of staff."""

    KEY_FIELDS = ("waffle_flag", "org")

    org = ExactCharField(_("organization"), max_length=255, db_index=True)

    class Meta(FlagOverride.Meta):
        verbose_name = _("flag override: organization")
        verbose_name_plural = _("flag overrides: organizations")

    def __str__(self) -> str:
        return gettext("%(flag)s for %(org)s") % {"flag": self.waffle_flag, "org": self.org}


class WaffleFlagCourseOverride(FlagOverride):
    """A flag's answer for one course. Personal data: `changed_by`, a member of staff."""

    KEY_FIELDS = ("waffle_flag", "course_id")

    course_id = ExactCharField(_("course"), max_length=255, db_index=True)

    class Meta(FlagOverride.Meta):
        verbose_name = _("flag override: course")
        verbose_name_plural = _("flag overrides: courses")

    def __str__(self) -> str:
        return gettext("%(flag)s for %(course)s") % {"flag": self.waffle_flag, "course": self.course_id}
