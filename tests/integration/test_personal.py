"""What a message says to one learner alone: their name, their course's picture, an upgrade only if they can buy it."""

import pytest
from django.core.management import call_command

from schedules.contrib.lms.models import CourseEnrollment, CourseMode, LearnerProfile
from schedules.models import (
    CourseDynamicUpgradeDeadlineConfiguration,
    CustomText,
    DynamicUpgradeDeadlineConfiguration,
    Schedule,
)
from schedules.sending.context import greeting_name
from tests.emails import Page
from tests.world import TODAY, enable_deadlines, enroll, make_course, make_learner, open_site, started

PICTURE = "https://images.example.com/garden.jpg"


def send(command="send_recurring_nudge"):
    call_command(command, "example.com", date=TODAY.isoformat(), verbosity=0)


def html(mail):
    ((content, _),) = [(part.content, part.mimetype) for part in mail.alternatives]
    return content


@pytest.mark.parametrize(
    ("name", "greeting"),
    [
        ("Ada Levi", "Ada Levi"),
        (" Ada\r\nLevi\u2028", "Ada Levi"),
        ("J. R. R. O’Neill-Ñandú", "J. R. R. O’Neill-Ñandú"),
        ("דנה לוי", "דנה לוי"),
        ("", ""),
        ("win at casino.example", ""),
        ("http://casino", ""),
        ("ada@example.com", ""),
        ("{optout_confirm_url}", ""),
        ("<b>Ada</b>", ""),
        ("Ａｄａ Ｌｅｖｉ", "Ａｄａ Ｌｅｖｉ"),
        ("علی‌رضا", "علی‌رضا"),
        ("ශ්‍රී", "ශ්‍රී"),
        ("Gal·la Martí-Ñúñez", "Gal·la Martí-Ñúñez"),
        ("Ada\u200b Levi\ufeff\u200f", "Ada Levi"),
        ("n" * 64, "n" * 64),
        ("n" * 65, ""),
        ("n" * 255, ""),
        ("visit evil．example", ""),
        ("visit evil。example", ""),
        ("visit evil｡example", ""),
        ("visit evil․example", ""),
        ("visit evil\u200b.\u2060exa\u00admple", ""),
        ("visit evil\u200d.example", ""),
        ("visit evil.\ufe0fexample", ""),
        ("visit evil\U000e0100.example", ""),
        ("葛\U000e0100城", "葛\U000e0100城"),
        ("ｈｔｔｐ：／／casino", ""),
        ("ada＠example", ""),
        ("ⓦⓦⓦ casino", ""),
        ("WWW casino", ""),
        ("\\\\casino", ""),
        ("\u202eadA", ""),
        ("\u2066Ada\u2069", ""),
        ("call ０９００ 12-34", ""),
        ("+1 (900) 555", ""),
        ("Ada ٠٩٠٠١٢", ""),
        ("｛optout_confirm_url｝", ""),
        ("\u3164\u200b\u2800", ""),
        ("\u200c", ""),
    ],
)
def test_a_greeting_carries_a_name_and_nothing_that_becomes_a_link(name, greeting):
    assert greeting_name(name) == greeting


@pytest.mark.django_db
def test_custom_text_says_no_name_either_where_there_is_none(email_channel):
    site = open_site()
    CustomText.objects.create(
        site=site,
        message_name="recurringnudge_day3",
        enabled=True,
        subject="{name}, come back",
        intro="Dear {name}, hello",
    )
    enroll(make_learner("eve"), make_course())
    LearnerProfile.objects.update(name="visit evil．example")
    send()
    (mail,) = email_channel
    assert mail.subject == "Come back"
    assert "evil" not in mail.body + html(mail)


def test_a_name_keeps_itself_to_itself():
    assert repr({"learner_name": greeting_name("Ada")}) == "{'learner_name': <3 characters>}"


@pytest.mark.django_db
def test_each_learner_is_greeted_by_their_own_name(email_channel):
    open_site()
    garden = make_course()
    for name in ("alice", "bob", "carol"):
        enroll(make_learner(name), garden)
    LearnerProfile.objects.filter(user__username="carol").update(name="")
    send()
    greetings = {mail.to[0].partition("@")[0]: "Hello" in mail.body and mail.body for mail in email_channel}
    assert "\nHello Alice,\n" in greetings["alice"]
    assert "\nHello Bob,\n" in greetings["bob"]
    assert greetings["carol"] is False


@pytest.mark.django_db
def test_a_message_about_one_course_shows_its_picture(email_channel):
    open_site()
    garden = make_course(image_url=PICTURE)
    enroll(make_learner("alice"), garden)
    bob = make_learner("bob")
    enroll(bob, garden)
    enroll(bob, make_course("Statistics", image_url=PICTURE))
    send()
    pictures = {mail.to[0].partition("@")[0]: [one["src"] for one in Page(html(mail)).images] for mail in email_channel}
    assert pictures == {"alice": [PICTURE], "bob": []}


def spoil_nothing():
    pass


def upgrade():
    CourseEnrollment.objects.update(mode="verified")


def pass_the_deadline():
    Schedule.objects.update(upgrade_deadline=started(1))


def lose_the_deadline():
    Schedule.objects.update(upgrade_deadline=None)


def sell_nothing():
    CourseMode.objects.all().delete()
    Schedule.objects.update(upgrade_deadline=started(-2))


def end_the_sale():
    CourseMode.objects.update(expiration_datetime=started(1))
    Schedule.objects.update(upgrade_deadline=started(-2))


def opt_the_course_out():
    course_id = Schedule.objects.get().course_id
    CourseDynamicUpgradeDeadlineConfiguration.objects.create(enabled=True, opt_out=True, course_id=course_id)


def switch_deadlines_off():
    DynamicUpgradeDeadlineConfiguration.objects.create(enabled=False)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("spoil", "is_offered"),
    [
        (spoil_nothing, True),
        (upgrade, False),
        (pass_the_deadline, False),
        (lose_the_deadline, False),
        (sell_nothing, False),
        (end_the_sale, False),
        (opt_the_course_out, False),
        (switch_deadlines_off, False),
    ],
)
@pytest.mark.parametrize("command", ["send_recurring_nudge", "send_course_update"])
def test_an_upgrade_is_offered_to_those_who_can_buy_it(command, spoil, is_offered, email_channel):
    is_update = command == "send_course_update"
    open_site()
    enable_deadlines()
    enroll(make_learner(), make_course(price=49, weeks=[["Dig"]] * is_update), days_ago=7 if is_update else 3)
    spoil()
    send(command)
    (mail,) = email_channel
    for part in (mail.body, html(mail)):
        assert ("Upgrade now" in part) == is_offered
        assert ("certificate" in part) == is_offered
        assert ("/upgrade" in part) == is_offered


@pytest.mark.django_db
@pytest.mark.parametrize("spoil", [upgrade, sell_nothing, end_the_sale, opt_the_course_out, switch_deadlines_off])
def test_nobody_is_reminded_of_what_they_cannot_buy(spoil, email_channel):
    open_site()
    enable_deadlines()
    enroll(make_learner(), make_course(price=49), days_ago=19)
    spoil()
    Schedule.objects.update(upgrade_deadline=started(-2))
    send("send_upgrade_reminder")
    assert email_channel == []


@pytest.mark.django_db
def test_a_deadline_is_written_as_its_readers_write_dates(email_channel):
    open_site()
    enable_deadlines()
    for name, language in (("alice", "en"), ("bob", "es"), ("carol", "he"), ("dan", "de")):
        enroll(make_learner(name), make_course(f"Course of {name}", price=49, language=language), days_ago=3)
    send()
    dates = {"alice": "March 27, 2026", "bob": "27 de marzo de 2026", "carol": "27 במרץ 2026", "dan": "27. März 2026"}
    for mail in email_channel:
        date = dates.pop(mail.to[0].partition("@")[0])
        assert date in mail.body
        assert f'<strong dir="auto">{date}</strong>' in html(mail)
    assert dates == {}
