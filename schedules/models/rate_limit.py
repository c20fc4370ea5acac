"""How fast a channel may be used: the line that all workers stand in."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class ChannelRate(models.Model):
    """A channel's place in time, while `MESSAGES_PER_SECOND` limits it.

    Written by `schedules.sending.rate_limit` alone. Personal data: none.
    """

    channel = models.CharField(_("channel"), max_length=100, unique=True)
    free_at = models.DateTimeField(_("free at"), help_text=_("The next free slot."))
    return_at = models.DateTimeField(
        _("return at"), help_text=_("When a message that found no free slot may try again.")
    )

    class Meta:
        verbose_name = _("channel's rate limit")
        verbose_name_plural = _("channels' rate limits")

    def __str__(self) -> str:
        return self.channel
