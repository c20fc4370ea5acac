"""Who wants no e-mails: looked up, added for somebody who wrote to support, deleted for who wants them back."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from schedules import api
from schedules.admin.schedule import LearnerInCourseSearch
from schedules.models import OptOut


class OptOutForm(forms.ModelForm):
    """A new opt-out, with the message types to choose from."""

    message_type = forms.ChoiceField(label=_("Message type"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        titles = api.message_type_titles().items()
        self.fields["message_type"].choices = [("", _("every message type")), *titles]  # type: ignore[attr-defined]


@admin.register(OptOut)
class OptOutAdmin(LearnerInCourseSearch):
    """Rows come and go by `schedules.api`, so that the host hears of it, whoever changes them."""

    form = OptOutForm
    list_display = ("learner", "site", "about", "message_type_label", "created")
    list_select_related = ("user", "site")
    list_filter = ("site", "message_type")
    raw_id_fields = ("user",)
    sortable_by = ("created",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - Django's signature
        return False

    @admin.display(description=_("course"))
    def about(self, row: OptOut) -> Any:
        return row.course_id or _("every course")

    @admin.display(description=_("message type"))
    def message_type_label(self, row: OptOut) -> Any:
        return api.message_type_titles().get(row.message_type) or row.message_type or _("every message type")

    def save_model(self, request: HttpRequest, obj: OptOut, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        api.opt_out(obj.user_id, _scope(obj))

    def delete_model(self, request: HttpRequest, obj: OptOut) -> None:  # noqa: ARG002 - Django's signature
        api.opt_in(obj.user_id, _scope(obj))

    def delete_queryset(self, request: HttpRequest, queryset: models.QuerySet[OptOut]) -> None:
        for row in list(queryset):
            self.delete_model(request, row)


def _scope(row: OptOut) -> api.OptOutScope:
    return api.OptOutScope(site_id=row.site_id, course_id=row.course_id, message_type=row.message_type)
