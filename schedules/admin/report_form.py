"""What a report is to be about: the form above it, which is also the query of its address."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib.sites.models import Site
from django.http import QueryDict
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from schedules.conf import conf
from schedules.reporting import ReportScope
from schedules.reporting.choices import known_messages, usual_first_day
from schedules.reporting.counts import MAX_DAYS
from schedules.values.days import day_of


class DayInput(forms.DateInput):
    """A calendar, which wants its day as 2026-03-09 in every language."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class ReportForm(forms.Form):
    """Fields that the query leaves out have their defaults: the default site, the last 30 days, everything."""

    site = forms.ModelChoiceField(label=_("Site"), queryset=Site.objects.order_by("domain"), empty_label=None)
    first_day = forms.DateField(label=_("First day"), widget=DayInput)
    last_day = forms.DateField(label=_("Last day"), widget=DayInput)
    message = forms.ChoiceField(label=_("Message"), required=False)
    course = forms.CharField(
        label=_("Course"),
        required=False,
        max_length=255,
        widget=forms.TextInput({"list": "known-courses"}),
        help_text=_("A full course id. Leave empty for every course."),
    )

    def __init__(self, query: QueryDict) -> None:
        super().__init__({**self.defaults(), **{name: query[name] for name in self.base_fields if name in query}})
        messages: Any = self.fields["message"]
        messages.choices = [("", _("Every message")), *((name, name) for name in sorted(self.known_messages))]

    @cached_property
    def known_messages(self) -> dict[str, str]:
        return known_messages()

    @staticmethod
    def defaults() -> dict[str, Any]:
        today = day_of(timezone.now(), conf.time_zone)
        site = Site.objects.filter(pk=conf.default_site_id or 0).first() or Site.objects.order_by("domain").first()
        return {
            "site": site.pk if site else None,
            "first_day": usual_first_day(today).isoformat(),
            "last_day": today.isoformat(),
        }

    def clean(self) -> Any:
        first, last = self.cleaned_data.get("first_day"), self.cleaned_data.get("last_day")
        if first and last and first > last:
            self.add_error("last_day", _("The last day is before the first one."))
        elif first and last and last - first >= timedelta(days=MAX_DAYS):
            text = _("The period is longer than %(most)d days. Choose a shorter one.") % {"most": MAX_DAYS}
            self.add_error("first_day", text)
        return self.cleaned_data

    def scope(self) -> ReportScope:
        """Of a form that is valid."""
        data = self.cleaned_data
        return ReportScope(
            site=data["site"],
            first_day=data["first_day"],
            last_day=data["last_day"],
            message_name=data["message"],
            course_id=data["course"],
        )
