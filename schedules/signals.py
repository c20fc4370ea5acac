"""What a host tells the app, and what the app tells the host. Arguments are keywords: `sender` may be any class.

A host sends one of the first three, or calls the function of the same name in `schedules.api`.
It may connect to the last two.
"""

from django.dispatch import Signal

from schedules.values.data import CourseFact

__all__ = [
    "CourseFact",
    "course_changed",
    "learner_enrolled",
    "learner_erased",
    "learner_opted_in",
    "learner_opted_out",
]

#: A learner has a new active enrollment, or one that became active again: `user_id`, `course_id`,
#: `enrolled_at` (aware; the enrollment's `created`, or the instant it became active again),
#: `site_id` (the request's site, or `None`).
learner_enrolled = Signal()

#: Something about a course changed: `course_id`, `facts` (a collection of `CourseFact`).
course_changed = Signal()

#: A learner is to be forgotten: `user_id`.
learner_erased = Signal()

#: From the app: a learner no longer wants e-mails of a site: `user_id`, `site_id`, `course_id` (empty: about every
#: course), `message_type` (empty: of every type). It may come more than once; what a receiver raises is logged.
learner_opted_out = Signal()

#: From the app: the learner wants them again; the same arguments. A host that keeps a no of its own for that course
#: takes it back here.
learner_opted_in = Signal()
