"""A course changes, and its schedules follow in a task that outlives workers and brokers."""

import socket
from contextlib import contextmanager
from datetime import timedelta

import pytest
from celery import current_app
from django.db import connection, transaction
from django.utils import timezone

from schedules import api
from schedules.contrib.lms.host import LmsHost
from schedules.contrib.lms.models import Course, CourseMode
from schedules.enrolling import course_changes
from schedules.models import CourseChange, HoldBack, Schedule, ScheduleConfig
from tests.world import enable_deadlines, enroll, free_port, make_course, make_learner, open_site, perform, started

pytestmark = pytest.mark.django_db


class HostOfToday(LmsHost):
    """Is down while a test says so."""

    is_down = False

    def courses(self, course_ids):
        if self.is_down:
            raise ConnectionError
        return super().courses(course_ids)


def follow(queued):
    """What a worker does with such tasks, in batches of two."""
    for name, arguments in queued:
        assert name == "schedules.tasks.follow_course"
        course_changes.follow(**arguments, batch_size=2)


def school(learners=5, held_back=0, **fields):
    """A course with so many learners of each group, all enrolled 30 days ago."""
    site = open_site()
    garden = make_course(**fields)
    for ratio, count in ((1, held_back), (0, learners)):
        ScheduleConfig.objects.create(site=site, create_schedules=True, hold_back_ratio=ratio)
        for number in range(count):
            enroll(make_learner(f"learner{ratio}{number}"), garden, days_ago=30)
    return garden


def move(course, **fields):
    for name, value in fields.items():
        setattr(course, name, value)
    course.save()


def starts():
    return [row.start_date for row in Schedule.objects.order_by("pk")]


def strand():
    """As if the time had passed after which nobody answers for a change."""
    CourseChange.objects.update(leased_until=started(0))


def statements_on(table, act):
    """How many statements on our table `act` makes."""
    said = []

    def note(execute, sql, *more):
        said.append(sql)
        return execute(sql, *more)

    with connection.execute_wrapper(note):
        act()
    return [sql for sql in said if f'"{table}"' in sql]


def dying(at):
    """The process dies at its UPDATE of schedules number `at`."""
    left = [at]

    def die(execute, sql, *more):
        if sql.startswith('UPDATE "schedules_schedule"'):
            left[0] -= 1
            if not left[0]:
                raise KeyboardInterrupt
        return execute(sql, *more)

    return connection.execute_wrapper(die)


@contextmanager
def broker_at(port):
    """Celery with a broker on that port, where there may be none."""
    before = {name: current_app.conf[name] for name in ("CELERY_TASK_ALWAYS_EAGER", "broker_write_url")}
    current_app.conf.update(CELERY_TASK_ALWAYS_EAGER=False, broker_write_url=f"amqp://127.0.0.1:{port}//")
    yield
    current_app.conf.update(before)


def test_saving_a_course_asks_nothing_about_its_schedules(broker):
    garden = school()
    assert statements_on("schedules_schedule", lambda: move(garden, start=started(10))) == []
    assert starts() == [started(30)] * 5
    queued = broker()
    assert queued == [("schedules.tasks.follow_course", {"course_id": str(garden.pk)})]
    perform(queued)
    assert starts() == [started(10)] * 5
    assert not CourseChange.objects.exists()


def test_a_course_whose_saving_is_rolled_back_is_not_followed(broker):
    garden = school()
    with transaction.atomic():
        move(garden, start=started(10))
        transaction.set_rollback(True)
    assert broker() == []
    assert not CourseChange.objects.exists()


def test_more_learners_make_no_more_statements():
    garden = school(1)
    few = statements_on("schedules_schedule", lambda: move(garden, start=started(10)))
    for number in range(30):
        enroll(make_learner(f"more{number}"), garden, days_ago=30)
    many = statements_on("schedules_schedule", lambda: move(garden, start=started(9)))
    assert starts() == [started(9)] * 31
    assert len(many) == len(few) <= 8


@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_killed_half_way_it_goes_on_where_it_was(at, broker):
    enable_deadlines()
    garden = school(5, held_back=3, price=49)
    move(garden, start=started(10))
    with dying(at), pytest.raises(KeyboardInterrupt):
        follow(broker())
    strand()
    api.recover()
    assert statements_on("schedules_schedule", lambda: follow(broker()))
    assert starts() == [started(10)] * 5
    assert {row.content_availability_date for row in HoldBack.objects.all()} == {started(10)}
    assert {row.upgrade_deadline for row in Schedule.objects.all()} == {started(10) + timedelta(days=21)}
    assert not CourseChange.objects.exists()


def test_what_followed_before_the_kill_is_not_touched_again(broker):
    garden = school(5)
    move(garden, start=started(10))
    with dying(4), pytest.raises(KeyboardInterrupt):  # two statements about each batch
        follow(broker())
    done = {row.pk: row.modified for row in Schedule.objects.filter(start_date=started(10))}
    assert len(done) >= 2
    strand()
    api.recover()
    follow(broker())
    assert starts() == [started(10)] * 5
    assert {row.pk: row.modified for row in Schedule.objects.filter(pk__in=done)} == done


def test_a_message_that_the_broker_lost_is_made_up_for(broker):
    garden = school()
    move(garden, start=started(10))
    broker()  # taken by nobody
    api.recover()
    assert broker() == []  # somebody may still be at it
    strand()
    api.recover()
    api.recover()
    queued = broker()
    assert len(queued) == 1
    perform(queued)
    assert starts() == [started(10)] * 5


@pytest.mark.parametrize("is_listening", [True, False])
def test_a_broker_that_is_away_keeps_no_course_from_being_saved(is_listening):
    garden = school(2)
    with socket.socket() as mute, broker_at(port := free_port()):
        if is_listening:
            mute.bind(("127.0.0.1", port))
            mute.listen()
        with transaction.atomic():
            move(garden, start=started(10))
    garden.refresh_from_db()
    assert garden.start == started(10)
    assert starts() == [started(30)] * 2
    api.recover()
    assert starts() == [started(10)] * 2


def test_of_two_changes_the_last_one_is_followed_and_no_fact_is_lost(broker):
    garden = school(5, price=49)
    enable_deadlines()  # a start that moves nobody gives no deadline; a mode does
    CourseMode.objects.get().save()
    mode = CourseMode.objects.get()
    mode.expiration_datetime = timezone.now() + timedelta(days=3000)
    mode.save()
    with dying(2), pytest.raises(KeyboardInterrupt):
        follow(broker())
    move(garden, start=started(100))
    assert CourseChange.objects.get().facts == ["start", "verified_mode"]
    follow(broker())
    assert {row.upgrade_deadline for row in Schedule.objects.all()} == {started(30) + timedelta(days=21)}


def test_a_change_that_comes_between_two_batches_is_the_one_that_counts(broker):
    garden = school(5)
    move(garden, start=started(10))
    queued = broker()
    left = [garden]

    def change_meanwhile(execute, sql, *more):
        if sql.startswith('UPDATE "schedules_coursechange"') and left:
            move(left.pop(), start=started(20))
        return execute(sql, *more)

    with connection.execute_wrapper(change_meanwhile):
        follow(queued)
    follow(broker())
    assert starts() == [started(20)] * 5


def test_a_change_that_others_have_done_is_not_taken_for_the_next_one(broker):
    garden = school(5)
    move(garden, start=started(10))
    queued = broker()
    left = [garden]

    def do_it_and_change_again(execute, sql, *more):
        answer = execute(sql, *more)
        if sql.startswith('SELECT "schedules_lms_coursemode"') and left:  # the first worker has asked all it needs
            course = left.pop()
            follow(queued)
            move(course, start=started(20))
        return answer

    with connection.execute_wrapper(do_it_and_change_again):
        follow(queued)
    follow(broker())
    assert starts() == [started(20)] * 5


def test_two_workers_at_once_do_no_harm(broker):
    garden = school(5, held_back=3)
    move(garden, start=started(10))
    queued = broker()
    follow(queued * 2)
    assert starts() == [started(10)] * 5


def test_a_host_that_is_away_is_asked_again(settings, monkeypatch, broker):
    garden = school()
    settings.SCHEDULES = {**settings.SCHEDULES, "HOST": f"{__name__}.HostOfToday"}
    move(garden, start=started(10))
    monkeypatch.setattr(HostOfToday, "is_down", True)
    with pytest.raises(Exception, match="HostError"):
        perform(broker())
    monkeypatch.setattr(HostOfToday, "is_down", False)
    strand()
    api.recover()
    perform(broker())
    assert starts() == [started(10)] * 5


def test_a_course_that_is_gone_is_not_waited_for(broker):
    garden = school()
    move(garden, start=started(10))
    Course.objects.all().delete()
    perform(broker())
    assert not CourseChange.objects.exists()
    assert starts() == [started(30)] * 5


def test_an_organization_that_changed_reaches_the_schedules():
    garden = school(2)
    Course.objects.filter(pk=garden.pk).update(org="OrchardX")
    before = list(Schedule.objects.order_by("pk").values_list("modified", flat=True))
    garden = Course.objects.get()
    move(garden, end=timezone.now() + timedelta(days=50))
    assert {row.org for row in Schedule.objects.all()} == {"OrchardX"}
    after = list(Schedule.objects.order_by("pk").values_list("modified", flat=True))
    move(garden, end=timezone.now() + timedelta(days=60))
    assert list(Schedule.objects.order_by("pk").values_list("modified", flat=True)) == after
    assert all(old < new for old, new in zip(before, after, strict=True))


@pytest.mark.parametrize("days_to_end", [0, 5, 20, 21, 60])
@pytest.mark.parametrize("start", [400, 35, 10])
def test_a_set_gets_the_dates_that_each_learner_would_get_alone(days_to_end, start):
    """What is computed by the set is what creating a schedule computes for one learner."""
    open_site()
    enable_deadlines()
    garden = make_course(price=49)
    for days in (40, 30, 20, 5):
        enroll(make_learner(f"learner{days}"), garden, days_ago=days)
    far = timedelta(days=3650)
    Course.objects.update(start=started(start) + far)
    Schedule.objects.update(enrolled_at=course_changes.F("enrolled_at") + far)
    move(Course.objects.get(), end=started(-days_to_end) + far)
    followed = {row.user_id: (row.start_date, row.upgrade_deadline) for row in Schedule.objects.all()}
    enrolled = {row.user_id: row.enrolled_at for row in Schedule.objects.all()}
    Schedule.objects.all().delete()
    for user_id, enrolled_at in enrolled.items():
        api.learner_enrolled(user_id, str(garden.pk), enrolled_at=enrolled_at, now=started(0))
    assert {row.user_id: (row.start_date, row.upgrade_deadline) for row in Schedule.objects.all()} == followed
