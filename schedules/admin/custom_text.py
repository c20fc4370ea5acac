"""Custom text: the form with its live preview, and “send me this”. Each change is a new row, as all configuration."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.conf.locale import LANG_INFO
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from schedules import message_types
from schedules.admin.config import HistoryFilter, KeyedConfigurationPage
from schedules.admin.custom_text_sample import VARIANT_LABELS, Sample, SampleError
from schedules.conf import conf
from schedules.message_types.resolver import Resolver
from schedules.models import CustomText
from schedules.pages import STAFF_POLICY, set_headers
from schedules.values.languages import nearest
from schedules.values.markup import PLACEHOLDERS

JSON = "application/json"


class CustomTextForm(forms.ModelForm):
    """Knows which placeholders the chosen message has."""

    def clean(self) -> Any:
        chosen = message_types.messages().get(self.cleaned_data.get("message_name", ""))
        self.instance.placeholders = chosen[0].placeholders if chosen else PLACEHOLDERS
        return super().clean()

    def clean_intro(self) -> str:
        """Browsers send two characters for a line break, which counts as one."""
        return str(self.cleaned_data["intro"]).replace("\r\n", "\n")


@admin.register(CustomText)
class CustomTextAdmin(KeyedConfigurationPage):
    """The words of courses and sites."""

    form = CustomTextForm
    change_form_template = "admin/schedules/custom_text/change_form.html"
    list_display = ("site", "course", "message_name", "written_in", "enabled", "subject")
    list_select_related = ("site", "changed_by")
    list_filter = (HistoryFilter, "site", "message_name")
    ordering = ("site__domain", "course_id", "message_name", "language", "-pk")
    search_fields = ("course_id",)

    class Media:
        css = {"all": ["schedules/custom_text.css"]}
        js = ["schedules/custom_text.js"]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:  # noqa: ARG002 - Django's signature
        whose = (_("Where it applies"), {"fields": ("site", "course_id", "message_name", "language", "enabled")})
        words = {"fields": ("subject", "intro", "button_label"), "description": "" if obj else placeholders_help()}
        recorded = (_("Recorded"), {"fields": ("change_date", "changed_by")})
        return [whose, (_("Text"), words), *([recorded] if obj else [])]

    @admin.display(description=_("course"), ordering="course_id")
    def course(self, row: CustomText) -> Any:
        return row.course_id or _("all of the site")

    @admin.display(description=_("language"), ordering="language")
    def written_in(self, row: CustomText) -> Any:
        return row.language or _("every language")

    def formfield_for_dbfield(self, db_field: models.Field, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in {"message_name", "language"}:
            choices = message_choices() if db_field.name == "message_name" else language_choices()
            return forms.ChoiceField(
                label=capfirst(db_field.verbose_name),
                choices=choices,
                required=not db_field.blank,
                help_text=db_field.help_text,
            )
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"site": conf.default_site_id, **super().get_changeform_initial_data(request)}

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        return _held(super().add_view(request, form_url, {"variants": VARIANT_LABELS, **(extra_context or {})}))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """A kept row is shown with what it made of the message."""
        row = self.get_object(request, object_id)
        is_shown = row is not None and self.has_view_permission(request, row)
        context = self._shown(row, "") if is_shown else {}
        return _held(super().change_view(request, object_id, form_url, {**context, **(extra_context or {})}))

    @admin.action(description=_("Restore the selected row (adds a copy of it)"), permissions=["add"])
    def revert(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> Any:
        try:
            return super().revert(request, queryset)
        except ValidationError as error:  # what it names may be gone, such as its course
            self.message_user(request, " ".join(error.messages), messages.ERROR)
            return None

    # Preview and “send me this” -------------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        own = [
            path("preview/", self.admin_site.admin_view(self.preview_view), name=f"{name}_preview"),
            path("send/", self.admin_site.admin_view(self.send_view), name=f"{name}_send"),
        ]
        return [*own, *super().get_urls()]

    @method_decorator(require_POST)
    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """What the words of the posted form make of the message. Nothing is saved or sent."""
        form = self._posted(request)
        shown = {} if form.errors else self._shown(form.instance, request.POST.get("_variant", ""))
        return self._answer(request, _("Preview"), form, **shown)

    @method_decorator(require_POST)
    def send_view(self, request: HttpRequest) -> HttpResponse:
        """Send the message with the words of the posted form to the member of staff who is signed in, nobody else."""
        form = self._posted(request)
        if form.errors:
            return self._answer(request, _("Send me this"), form, problem=_("Not sent: the form has errors."))
        user: Any = request.user
        address = str(getattr(user, user.get_email_field_name(), "") or "").strip()
        try:
            if not address:
                raise SampleError(_("Not sent: your account has no e-mail address. Add one to it under Users."))
            Sample(form.instance, request.POST.get("_variant", "")).send(address)
        except SampleError as error:
            return self._answer(request, _("Send me this"), form, problem=error.message)
        return self._answer(request, _("Send me this"), form, done=_("Sent to %(address)s.") % {"address": address})

    def _posted(self, request: HttpRequest) -> Any:
        """The form as it was posted, checked. Raises `PermissionDenied` for who may not add words."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = self.get_form(request)(request.POST)
        form.full_clean()
        return form

    def _shown(self, row: CustomText, variant: str) -> dict[str, Any]:
        try:
            return {"preview": Sample(row, variant).preview()}
        except SampleError as error:
            return {"problem": error.message}

    def _answer(self, request: HttpRequest, title: Any, form: Any, **shown: Any) -> HttpResponse:
        """For the form's script as JSON, for a browser without it as a page of its own."""
        if request.get_preferred_type(["text/html", JSON]) == JSON:
            preview = shown.pop("preview", None)
            parts = (
                {key: getattr(preview, key) for key in ("subject", "from_name", "preheader", "text", "html")}
                if preview
                else None
            )
            return _held(JsonResponse({"errors": form.errors, "preview": parts, **shown}))
        labels = {name: form.fields[name].label for name in form.fields}
        errors = [(labels.get(name, ""), line) for name, lines in form.errors.items() for line in lines]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "errors": errors,
            **shown,
        }
        return _held(TemplateResponse(request, "admin/schedules/custom_text/result.html", context))


def _held(response: HttpResponse) -> HttpResponse:
    """A page that shows a message, which gets no power over it; its forms say where they come from."""
    set_headers(response, STAFF_POLICY, "same-origin")
    return response


def message_choices() -> list[tuple[str, str]]:
    """Every message that the settings ask for, by message type; then those that have words already."""
    asked_for = {
        name: f"{capfirst(resolver.label)}: {name}" for name, (resolver, _offset) in message_types.messages().items()
    }
    stored = CustomText.objects.order_by("message_name").values_list("message_name", flat=True).distinct()
    return [*asked_for.items(), *((name, name) for name in stored if name not in asked_for)]


def language_choices() -> list[tuple[str, Any]]:
    """Every language that a message may have come out in: those of `LANGUAGES` for which there are words."""
    spoken = dict.fromkeys(filter(None, (nearest(code) for code, _name in settings.LANGUAGES)))
    names = {code: LANG_INFO.get(code, {}).get("name_local", code) for code in spoken}  # a host may have its own
    return [("", _("Every language")), *((code, f"{name} ({code})") for code, name in names.items())]


def placeholders_help() -> str:
    """Which placeholders there are, those of single message types with the type's name."""
    shared = _in_braces(Resolver.placeholders)
    others = [
        f"{_in_braces(more)} ({resolver.label})"
        for resolver in message_types.usable_resolvers().values()
        if (more := [name for name in resolver.placeholders if name not in Resolver.placeholders])
    ]
    return format_html(
        '<p class="custom-text-placeholders">{} <strong>{}</strong></p>',
        _("Write what differs from learner to learner in braces:"),
        ", ".join([shared, *others]),
    )


def _in_braces(names: Any) -> str:
    return ", ".join(f"{{{name}}}" for name in names)
