"""A school in memory, and the contract of its host."""

from schedules.host import Course, Enrollment, Learner, LearnerProgress, Section, VerifiedMode
from schedules.testing import FakeHost, HostContract
from tests.world import started

GARDEN, MAPS = "course-v1:MeadowX+GARDEN1+2026", "course-v1:RiverX+MAPS+2026"
ALICE, BOLA = 1, 2
SCHOOL = {
    "courses": [
        Course(id=GARDEN, org="MeadowX", name="A Garden in a Year", start=started(100)),
        Course(id=MAPS, org="RiverX", name="Maps and How to Make Them", start=None),
    ],
    "learners": [Learner(id=ALICE, email="alice@learners.example.com"), Learner(id=BOLA, email="")],
    "enrollments": [
        Enrollment(user_id=ALICE, course_id=GARDEN, mode="audit", is_active=True, created=started(3)),
        Enrollment(user_id=BOLA, course_id=MAPS, mode="audit", is_active=False, created=started(9)),
    ],
    "verified_modes": [VerifiedMode(course_id=GARDEN)],
    "sections": {GARDEN: [Section(name="Soil", highlights=("Dig",))]},
    "opt_outs": [(ALICE, GARDEN)],
    "progress": [LearnerProgress(user_id=ALICE, course_id=GARDEN, last_active_at=started(1))],
    "site_values": {1: {"PLATFORM_NAME": "Meadow"}},
}


class SchoolContract(HostContract):
    host = FakeHost(**SCHOOL)
    user_id, course_id, site_id = ALICE, GARDEN, 1
    more_keys = ((BOLA, MAPS),)
