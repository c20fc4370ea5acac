"""A school that is nowhere: what previews speak of, in the reader's own script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle, islice
from typing import Any

from schedules.conf import conf
from schedules.memory_host import MemoryHost
from schedules.values.data import Course, Enrollment, Learner, Section, VerifiedMode

#: No database gives anybody this id, so no link of a preview can do anything to anybody.
NOBODY = 0

DOMAIN = "example.com"
PLATFORM_NAME = "Meadow University"

#: A picture that the gallery puts a file in the place of.
IMAGE_URL = f"https://{DOMAIN}/sample/course.svg"

#: What is shown where the settings say nothing, so that no part of a message goes unseen.
_SITE_VALUES: Mapping[str, Any] = {
    "PLATFORM_NAME": PLATFORM_NAME,
    "CONTACT_EMAIL": f"help@{DOMAIN}",
    "CONTACT_MAILING_ADDRESS": "12 Orchard Lane, Springfield",
    "EMAIL_FROM_ADDRESS": f"learning@{DOMAIN}",
    "SOCIAL_MEDIA_FOOTER_URLS": {
        "facebook": "https://www.facebook.com/example",
        "youtube": "https://www.youtube.com/@example",
    },
    "MOBILE_STORE_URLS": {
        "apple": "https://apps.apple.com/app/id0000000000",
        "google": "https://play.google.com/store/apps/details?id=com.example",
    },
}


@dataclass(frozen=True, kw_only=True)
class Names:
    """What a school of one language calls things: a learner, three courses, a section and its highlights."""

    learner: str
    courses: tuple[str, str, str]
    section: str
    highlights: tuple[str, ...]


_ENGLISH = Names(
    learner="Alice Meadow",
    courses=("A Garden in a Year", "Clean Water", "Statistics for Everyone"),
    section="Soil & Seeds",
    highlights=("Know the soil you have", "Sow at the right time", "Water less & better"),
)

_NAMES: Mapping[str, Names] = {
    "en": _ENGLISH,
    "es": Names(
        learner="Alicia Prado",
        courses=("Un jardín en un año", "Agua limpia", "Estadística para todos"),
        section="Suelo y semillas",
        highlights=("Conocer el suelo que tienes", "Sembrar en el momento justo", "Regar menos y mejor"),
    ),
    "fr": Names(
        learner="Alice Dupré",
        courses=("Un jardin en un an", "L’eau propre", "La statistique pour tous"),
        section="Sol et semences",
        highlights=("Connaître son sol", "Semer au bon moment", "Arroser moins et mieux"),
    ),
    "de": Names(
        learner="Alice Wiesner",
        courses=("Ein Garten in einem Jahr", "Sauberes Wasser", "Statistik für alle"),
        section="Boden und Saatgut",
        highlights=("Den eigenen Boden kennen", "Zur rechten Zeit säen", "Weniger und besser gießen"),
    ),
    "pt": Names(
        learner="Alice Campos",
        courses=("Um jardim em um ano", "Água limpa", "Estatística para todos"),
        section="Solo e sementes",
        highlights=("Conhecer o solo que você tem", "Semear na hora certa", "Regar menos e melhor"),
    ),
    "zh": Names(
        learner="李爱丽",
        courses=("一年建成一座花园", "清洁的水", "人人都能学的统计学"),
        section="土壤与种子",
        highlights=("认识你的土壤", "适时播种", "少浇水，浇好水"),
    ),
    "ja": Names(
        learner="草野ありす",
        courses=("一年でつくる庭", "きれいな水", "みんなの統計学"),
        section="土と種",
        highlights=("自分の土を知る", "ちょうどよい時期に種をまく", "少なく、上手に水をやる"),
    ),
    "ar": Names(
        learner="أليس المرجي",
        courses=("حديقة في عام واحد", "مياه نظيفة", "الإحصاء للجميع"),
        section="التربة والبذور",
        highlights=("تعرّف على تربتك", "ازرع في الوقت المناسب", "اسقِ أقل وأفضل"),
    ),
    "he": Names(
        learner="אליס כרמי",
        courses=("גינה בשנה אחת", "מים נקיים", "סטטיסטיקה לכולם"),
        section="אדמה וזרעים",
        highlights=("להכיר את האדמה שלכם", "לזרוע בזמן הנכון", "להשקות פחות וטוב יותר"),
    ),
}


def names_in(language: str) -> Names:
    """The names of a school that teaches in `language` (a code), else English ones."""
    return _NAMES.get(language, _NAMES.get(language.partition("-")[0], _ENGLISH))


def as_long_as_can_be(names: Names) -> Names:
    """`names`, each as long as a message takes it, with words that fit no phone; and many highlights."""
    return Names(
        learner=_stretched(names.learner, 64),  # a longer one is no greeting
        courses=tuple(_stretched(name, 255) for name in names.courses),  # type: ignore[arg-type] # still three
        section=_stretched(names.section, 255),
        highlights=tuple(_stretched(text, length) for text in names.highlights for length in (60, 200, 400, 20)),
    )


def _stretched(text: str, length: int) -> str:
    word = text.replace(" ", "") * 4
    return f"{word[:60]} {f'{text}, ' * length}"[:length].rstrip(", ")


#: A sample's upgrade deadline, from its start.
DEADLINE_DAYS = 21

_BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


def sample_courses(names: Names, language: str, count: int, *, has_image: bool) -> list[Course]:
    """So many self-paced courses in `language`. Where there are more of them than names, the names begin again."""
    return [
        Course(
            id=f"course-v1:Meadow+{number}+2026",
            org="Meadow",
            name=name,
            start=_BEGINNING,
            language=language,
            is_messaging_enabled=True,
            image_url=IMAGE_URL if has_image else None,
        )
        for number, name in enumerate(islice(cycle(names.courses), count), start=1)
    ]


def sample_host(
    names: Names,
    courses: Sequence[Course],
    learner: Learner,
    *,
    is_selling: bool,
    site_values: Mapping[int, Mapping[str, Any]],
    dashboard: str,
) -> MemoryHost:
    """The school with these names, in all of whose courses the learner is enrolled."""
    sections = [Section(name=names.section, highlights=names.highlights)] * conf.course_update_weeks
    return MemoryHost(
        courses=courses,
        learners=[learner],
        enrollments=[
            Enrollment(user_id=learner.id, course_id=course.id, mode="audit", is_active=True, created=_BEGINNING)
            for course in courses
        ],
        verified_modes=[VerifiedMode(course_id=course.id) for course in courses] if is_selling else (),
        sections={course.id: sections for course in courses},
        site_values=site_values,
        dashboard=dashboard,
    )


def values_where_settings_are_silent() -> dict[str, Any]:
    """A site's values that show every part of a message, less those that the settings have an answer to."""
    return {name: value for name, value in _SITE_VALUES.items() if not conf.lms(name, None)}
