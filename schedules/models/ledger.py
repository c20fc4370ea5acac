"""The ledger: what was decided about each message, and each run that decided it."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.contrib.sites.models import Site
from django.db import models
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from schedules.models.schedule import Schedule
from schedules.values.runs import RunOrigin


class SendRun(models.Model):
    """One message type, site, day and day offset, run once. Its key is the `send_uuid` of its messages.

    `counts`: `bins` (bin -> how many messages it found), and once the run is finished the totals of
    `data.Totals`; or `stopped` with the reason why nothing was queued.
    Personal data: none.
    """

    uuid = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="+", verbose_name=_("site"))
    message_type = models.CharField(_("message type"), max_length=50)
    date = models.DateField(_("date"), help_text=_("The run's “today”."))
    day_offset = models.SmallIntegerField(_("day offset"), help_text=_("Days from the run's date to the target day."))
    origin = models.CharField(
        _("day chosen by"),
        max_length=10,
        choices=[
            (RunOrigin.DAILY.value, _("the calendar")),
            (RunOrigin.DATE.value, "--date"),
            (RunOrigin.SINCE.value, "--since"),
        ],
        default=RunOrigin.DAILY.value,
    )
    started_at = models.DateTimeField(_("started"), db_index=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    leased_until = models.DateTimeField(
        _("leased until"), null=True, blank=True, help_text=_("Bins that have not reported by then are searched again.")
    )
    counts = models.JSONField(_("counts"), default=dict, blank=True)

    class Meta:
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        ordering = ["-started_at"]
        indexes = [models.Index(fields=["site", "message_type", "date"], name="schedules_run_day")]

    def __str__(self) -> str:
        # Translators: a message type, a number of days such as −3, and the day that it is counted from.
        text = gettext("%(message_type)s %(day_offset)s on %(date)s")
        return text % {
            "message_type": self.message_type,
            "day_offset": f"{self.day_offset:+d}",
            "date": date_format(self.date),
        }


class ScheduledMessage(models.Model):
    """One message to one learner, from the moment it was claimed. Written by `schedules.ledger` alone.

    `uuid` is made from what the message is (site, name, target day, learner, schedule), so it is the key by
    which nothing is said twice. `segment_due_at`: Segment is to hear then that it was sent, and `google_due_at` Google
    that it was opened; empty where they know, or are not to.
    Personal data: that a learner was written to, when and about which courses;
    no address, no body. Erased with the learner (cascade).
    """

    class Status(models.TextChoices):
        CLAIMED = "claimed", _("Claimed")
        DELIVERING = "delivering", _("Delivering")
        SENT = "sent", _("Sent")
        SKIPPED = "skipped", _("Skipped")
        FAILED = "failed", _("Failed")

    uuid = models.UUIDField(primary_key=True, editable=False)
    run = models.ForeignKey(SendRun, on_delete=models.CASCADE, related_name="messages", verbose_name=_("run"))
    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="+", verbose_name=_("site"))
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", verbose_name=_("learner")
    )
    schedule = models.ForeignKey(
        Schedule,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("schedule"),
        help_text=_("Set only if the message is about one course."),
    )
    name = models.CharField(_("message"), max_length=100)
    target_date = models.DateField(_("target day"))
    day_offset = models.SmallIntegerField(_("day offset"))
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.CLAIMED)
    reason = models.CharField(_("reason"), max_length=50, blank=True)
    detail = models.JSONField(
        _("detail"), default=dict, blank=True, help_text=_("What a gate saw, or what the channel answered.")
    )
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    unknown_faults = models.PositiveSmallIntegerField(
        _("unknown faults"), default=0, help_text=_("Attempts that failed for an unknown reason.")
    )
    due_at = models.DateTimeField(
        _("due"), null=True, blank=True, help_text=_("Not before this time; empty means at once.")
    )
    lease = models.UUIDField(null=True, editable=False)  # known to its holder alone, and new with each lease
    leased_until = models.DateTimeField(
        _("leased until"), null=True, blank=True, help_text=_("If it is not finalized by then, it is handed out again.")
    )
    channel = models.CharField(_("channel"), max_length=50, blank=True)
    language = models.CharField(_("language"), max_length=35, blank=True)
    course_ids = models.JSONField(_("courses"), default=list, blank=True)
    created = models.DateTimeField(_("claimed at"), db_index=True)
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    opened_at = models.DateTimeField(_("opened"), null=True, blank=True)
    clicked_at = models.DateTimeField(_("clicked"), null=True, blank=True)
    opted_out_at = models.DateTimeField(
        _("opted out"), null=True, blank=True, help_text=_("By the link in this message, whatever they chose later.")
    )
    segment_due_at = models.DateTimeField(null=True, editable=False, db_index=True)
    google_due_at = models.DateTimeField(null=True, editable=False, db_index=True)

    class Meta:
        verbose_name = _("scheduled message")
        verbose_name_plural = _("scheduled messages")
        ordering = ["-created"]
        indexes = [
            models.Index(fields=["run", "status"], name="schedules_message_run"),
            models.Index(fields=["status", "leased_until"], name="schedules_message_lease"),
            models.Index(fields=["site", "name", "target_date"], name="schedules_message_day"),
        ]

    def __str__(self) -> str:
        # Translators: the name of a message, the learner's number, and the target day.
        text = gettext("%(message)s to learner %(learner)s for %(date)s")
        return text % {"message": self.name, "learner": self.user_id, "date": date_format(self.target_date)}
