"""What keeps a channel from working, known to all workers."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class ChannelTrouble(models.Model):
    """A channel, or one site's sender by it, that takes nobody's message for now. No row: all is well.

    Written by `schedules.sending.channel_trouble` alone. Personal data: none.
    """

    channel = models.CharField(_("channel"), max_length=100)
    site_id = models.IntegerField(
        _("site"), default=0, help_text=_("The site whose sender is refused; 0 means every site.")
    )
    reason = models.CharField(_("reason"), max_length=50)
    answer = models.CharField(_("what was answered"), max_length=255, blank=True)
    since = models.DateTimeField(_("since"))
    failed_trials = models.PositiveSmallIntegerField(_("failed trials"), default=1)
    blocked_until = models.DateTimeField(_("blocked until"), help_text=_("When one worker tries again."))

    class Meta:
        verbose_name = _("channel's trouble")
        verbose_name_plural = _("channels' troubles")
        constraints = [models.UniqueConstraint(fields=["channel", "site_id"], name="schedules_one_trouble")]

    def __str__(self) -> str:
        return f"{self.channel}: {self.reason}"
