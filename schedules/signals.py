"""What a host tells the app. Send one of these, or call the function of the same name in `schedules.api`.

Arguments are keywords: `sender` may be any class.
"""

from django.dispatch import Signal

from schedules.data import CourseFact

__all__ = ["CourseFact", "course_changed", "learner_enrolled", "learner_erased"]

#: A learner has a new active enrollment, or one that became active again: `user_id`, `course_id`,
#: `enrolled_at` (aware; the enrollment's `created`, or the instant it became active again),
#: `site_id` (the request's site, or null).
learner_enrolled = Signal()

#: Something about a course changed: `course_id`, `facts` (a collection of `CourseFact`).
course_changed = Signal()

#: A learner is to be forgotten: `user_id`.
learner_erased = Signal()
