from django.utils.translation import gettext_lazy as _

from schedules.messages import CanUpgrade, Resolver, course_url, upsell_context


class Welcome(Resolver):
    """The day after the start."""

    key = "welcome"
    label = _("welcome")
    title = _("Welcome messages")

    @classmethod
    def day_offsets(cls):
        return (-1,)

    def context(self, courses):
        return {
            "course_name": courses[0].course.name,
            "course_url": course_url(self, courses[0]),
            "course_ids": [due.course.id for due in courses],
            "has_several_courses": len(courses) > 1,
            "show_upsell": False,
        }


class LastCall(Resolver):
    """The day before the upgrade deadline, once more, about one course."""

    key = "last_call"
    label = _("last call")
    title = _("Last calls to upgrade")
    date_field = "upgrade_deadline"
    gates = (CanUpgrade(),)
    is_per_course = True
    is_once_per_episode = False

    @classmethod
    def day_offsets(cls):
        return (1,)

    def context(self, courses):
        (due,) = courses
        return {
            "course_name": due.course.name,
            "course_url": course_url(self, due),
            "course_ids": [due.course.id],
            **upsell_context(self, due),
        }
