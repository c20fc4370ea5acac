"""A message as its learner would see it, of sample data: the code that sends composes it, and nothing is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from html.parser import HTMLParser
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.contrib.sites.models import Site
from django.utils import timezone, translation
from edx_ace import presentation
from edx_ace.channel import ChannelType, get_channel_for_message
from edx_ace.channel.mixins import EmailChannelMixin
from edx_ace.errors import UnsupportedChannelError

from schedules import ledger
from schedules.channels.mail import whole_document
from schedules.conf import conf
from schedules.exceptions import ConfigurationError, SkipRecipient
from schedules.finding.facts import Facts, Moment
from schedules.host import get_host
from schedules.memory_host import MemoryHost
from schedules.message_types import messages
from schedules.message_types.deciding import Decision
from schedules.message_types.resolver import Resolver
from schedules.models import Schedule
from schedules.previewing import samples
from schedules.sending.ace import ScheduleMessage, message_type_for
from schedules.sending.composing import compose
from schedules.sites import site_values
from schedules.values.data import Course, Learner
from schedules.values.days import day_of, start_of_day
from schedules.values.languages import RELEASED
from schedules.values.runs import Run
from schedules.values.text import one_line

ADDRESS = f"learner@{samples.DOMAIN}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """What is special about a sample. `is_foreign`: its names run against the direction of the language."""

    course_count: int = 1
    is_selling: bool = True
    has_image: bool = True
    is_long: bool = False
    is_foreign: bool = False


#: By name, in the order of a gallery.
VARIANTS: Mapping[str, Variant] = {
    "one_course": Variant(),
    "several_courses": Variant(course_count=3),
    "without_upsell": Variant(is_selling=False, has_image=False),
    "longest_names": Variant(course_count=1, is_long=True),
    "longest_of_several": Variant(course_count=12, is_long=True),
    "other_direction": Variant(is_foreign=True),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """A message in all its parts. `html` is a whole document; the rest is plain text, one line each but for `text`."""

    message_name: str
    language: str
    variant: str
    subject: str
    from_name: str
    preheader: str
    text: str
    html: str


def languages() -> list[str]:
    """Those of `LANGUAGES` that the app brings words in."""
    return [code for code, _ in settings.LANGUAGES if code in RELEASED]


def variants_of(message_name: str) -> list[str]:
    """The variants that a message can have: one about a single course never has several, for example."""
    resolver_class, _ = _message(message_name)
    return [name for name in VARIANTS if _is_possible(resolver_class, message_name, name)]


def sample_message(
    message_name: str,
    language: str,
    variant: str = "one_course",
    *,
    site: Site | None = None,
    course_name: str | None = None,
    custom_text: Mapping[str, str] | None = None,
    address: str = ADDRESS,
    today: date | None = None,
) -> ScheduleMessage:
    """An edx-ace message to `address` about courses that are nowhere, as `site` would send it on `today`.

    Without a site it speaks for one that is nowhere either, but for what the settings say. `course_name` is the
    first course's, `custom_text` are the context's `custom_…` keys. The recipient's id belongs to nobody.
    Raises `ConfigurationError` for a name, language or variant that is not there, and `SkipRecipient` for a
    variant that the message cannot have; see `variants_of`.
    """
    resolver_class, day_offset = _message(message_name)
    _check("language", language, [code for code, _ in settings.LANGUAGES])
    _check("variant", variant, list(VARIANTS))
    chosen = VARIANTS[variant]
    names = _names(chosen, language)
    if course_name is not None:
        names = replace(names, courses=(course_name, *names.courses[1:]))
    courses = samples.sample_courses(names, language, chosen.course_count, has_image=chosen.has_image)
    learner = Learner(id=samples.NOBODY, email=address, name=names.learner, language=language)
    run = Run(
        message_type=resolver_class.key,
        site_id=site.pk if site else samples.NOBODY,
        today=today or day_of(timezone.now(), conf.time_zone),
        day_offset=day_offset,
        uuid=uuid4(),
    )
    nowhere = Site(pk=samples.NOBODY, domain=samples.DOMAIN, name=samples.PLATFORM_NAME)
    resolver = resolver_class(run, site or nowhere, _host(chosen, names, courses, learner, site))
    decision = _decision(resolver, message_name, courses, learner)
    message = compose(resolver, message_type_for(message_name, run), decision, override_address=address)
    message.context.update(custom_text or {}, tracking_pixel_urls=[])  # whoever looks at a sample opens no message
    return message


def preview(message_name: str, language: str, variant: str = "one_course", **options: Any) -> Preview:
    """`sample_message()`, with its options, rendered by edx-ace for the channel that would carry it.

    Raises what that raises.
    """
    message = sample_message(message_name, language, variant, **options)
    rendered = presentation.render(_channel(message), message)
    return Preview(
        message_name=message_name,
        language=language,
        variant=variant,
        subject=EmailChannelMixin.get_subject(rendered),
        from_name=rendered.from_name.strip(),
        preheader=_preheader(rendered.body_html),
        text=rendered.body,
        html=whole_document(message.language, rendered.head_html, rendered.body_html),
    )


def _message(name: str) -> tuple[type[Resolver], int]:
    _check("message", name, sorted(messages()))
    return messages()[name]


def _check(what: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise ConfigurationError(f"There is no {what} {name!r}. There are: {', '.join(known)}.")


def _is_possible(resolver_class: type[Resolver], message_name: str, variant: str) -> bool:
    if resolver_class.is_per_course and VARIANTS[variant].course_count > 1:
        return False
    try:
        sample_message(message_name, settings.LANGUAGE_CODE, variant)
    except SkipRecipient:
        return False
    return True


def _names(variant: Variant, language: str) -> samples.Names:
    if variant.is_foreign:
        is_right_to_left = translation.get_language_info(language)["bidi"]
        language = "en" if is_right_to_left else "he"
    names = samples.names_in(language)
    return samples.as_long_as_can_be(names) if variant.is_long else names


def _host(
    variant: Variant, names: samples.Names, courses: Sequence[Course], learner: Learner, site: Site | None
) -> MemoryHost:
    if site:
        host = get_host()
        values, dashboard = dict(site_values(host, site).values), host.dashboard_url(site.pk)
    else:
        values, dashboard = samples.values_where_settings_are_silent(), "/dashboard"
    if variant.is_long:
        values["PLATFORM_NAME"] = names.courses[-1][:120]
        values.pop("platform_name", None)
    return samples.sample_host(
        names,
        courses,
        learner,
        is_selling=variant.is_selling,
        site_values={site.pk if site else samples.NOBODY: values},
        dashboard=dashboard,
    )


class _SampleFacts(Facts):
    """Facts of a school that is nowhere: no configuration of the database is about its courses."""

    @cached_property
    def deadline_days(self) -> Mapping[str, int | None]:
        return dict.fromkeys(self.course_ids, samples.DEADLINE_DAYS)


def _decision(resolver: Resolver, message_name: str, courses: Sequence[Course], learner: Learner) -> Decision:
    """The decision to send about all these courses. Raises `SkipRecipient` if there is nothing to say.

    Of the gates, those of the message type are asked: the others are about learners and courses that are somewhere.
    """
    schedules = [_schedule(resolver, course) for course in courses]
    facts = _SampleFacts(schedules, host=resolver.host, site=resolver.site, run=resolver.run, moment=Moment.TEST)
    for gate in resolver.gates:
        schedules = [due for due in schedules if gate.look(due, facts, resolver.as_of).is_yes]
        if not schedules:
            raise SkipRecipient(gate.reason)
    by_id = {course.id: course for course in courses}
    found = tuple(resolver.due_course(due, by_id[due.course_id], facts, resolver.as_of) for due in schedules)
    entry = ledger.Entry(
        uuid=uuid4(),
        user_id=samples.NOBODY,
        schedule_id=None,
        name=message_name,
        course_ids=tuple(due.course.id for due in found),
    )
    return Decision(entry=entry, learner=learner, courses=found)


def _schedule(resolver: Resolver, course: Course) -> Schedule:
    """A schedule that is due in the resolver's run, around noon. It is not saved."""
    due_at = start_of_day(resolver.run.target_date, conf.time_zone) + timedelta(hours=12)
    schedule = Schedule(
        user_id=samples.NOBODY,
        course_id=course.id,
        org=course.org,
        start_date=due_at,
        upgrade_deadline=max(due_at, resolver.as_of) + timedelta(days=samples.DEADLINE_DAYS),
    )
    setattr(schedule, resolver.date_field, due_at)
    return schedule


def _channel(message: ScheduleMessage) -> Any:
    try:
        return get_channel_for_message(ChannelType.EMAIL, message)
    except UnsupportedChannelError as error:
        raise ConfigurationError(
            f"edx-ace has no channel for e-mails ({error}). Name one in ACE_CHANNEL_DEFAULT_EMAIL and in "
            "ACE_ENABLED_CHANNELS."
        ) from error


class _Hidden(HTMLParser):
    """Collects the text of the first element that is not displayed: the preheader, as mail programs find it."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self._tag = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        style = (dict(attrs).get("style") or "").replace(" ", "")
        if not self.text and "display:none" in style:
            self._tag = tag

    def handle_endtag(self, tag: str) -> None:
        if tag == self._tag:
            self._tag = ""

    def handle_data(self, data: str) -> None:
        if self._tag:
            self.text += data


def _preheader(body_html: str) -> str:
    """The preheader without what fills the rest of its line: blanks, joiners and the like."""
    found = _Hidden()
    found.feed(body_html)
    return one_line(found.text.partition("\u034f")[0]).strip("\u200c\u00a0 ")
