"""What learners no longer want to get."""

from __future__ import annotations

from django.conf import settings
from django.contrib.sites.models import Site
from django.db import models
from django.utils.translation import gettext_lazy as _

from schedules.models.fields import ExactCharField


class OptOut(models.Model):
    """A learner's no to e-mails of one site: those about a course, of a message type, or all. Deleting it is a yes.

    Written by `schedules.optouts` alone. Personal data: that wish. Erased with the learner (cascade).
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", verbose_name=_("learner")
    )
    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="+", verbose_name=_("site"))
    course_id = ExactCharField(
        _("course"),
        max_length=255,
        blank=True,
        default="",
        help_text=_("A full course id. Leave empty for every course."),
    )
    message_type = models.CharField(
        _("message type"), max_length=50, blank=True, default="", help_text=_("Leave empty for every message type.")
    )
    created = models.DateTimeField(_("since"), auto_now_add=True)

    class Meta:
        verbose_name = _("opt-out")
        verbose_name_plural = _("opt-outs")
        constraints = [
            models.UniqueConstraint(fields=["user", "site", "course_id", "message_type"], name="schedules_one_opt_out")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} · {self.message_type or '*'} · {self.course_id or '*'}"
