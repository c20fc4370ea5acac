"""The three commands, run as an operator runs them, through the real edx-ace to files and mailboxes."""

import re
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, ManagementUtility, call_command

from schedules.contrib.lms.models import CourseEmailOptout, SiteConfiguration
from schedules.models import ScheduleConfig, ScheduledMessage, SendRun
from tests.world import TODAY, enable_deadlines, enroll, make_course, make_learner, open_site

pytestmark = pytest.mark.django_db

NUDGE, REMINDER, UPDATE = "send_recurring_nudge", "send_upgrade_reminder", "send_course_update"
COMMANDS = [NUDGE, REMINDER, UPDATE]


def run(command, site="example.com", **options):
    out = StringIO()
    call_command(command, site, stdout=out, **{"date": TODAY.isoformat(), **options})
    return out.getvalue()


def row(output, name):
    """The table's first row for a message, with runs of blanks as one."""
    return next(re.sub(" +", " ", line) for line in output.splitlines() if line.startswith(name))


def test_each_command_sends_what_is_due_and_says_so(mailbox):
    open_site()
    enable_deadlines()
    garden, bees = make_course("Garden", price=49), make_course("Bees", weeks=[["Meet the queen"]])
    enroll(make_learner("alice"), garden, days_ago=3)
    enroll(make_learner("bob"), garden, days_ago=19)
    enroll(make_learner("carol"), bees, days_ago=7)
    assert row(run(NUDGE), "recurringnudge_day3") == "recurringnudge_day3 -3 1 0 1 0 0"
    assert row(run(REMINDER), "upgradereminder") == "upgradereminder +2 1 0 1 0 0"
    assert row(run(UPDATE), "courseupdate") == "courseupdate -7 1 0 1 0 0"
    names = sorted(re.sub("_[0-9]+_[0-9a-f]+", "", path.name) for path in mailbox.glob("20*.html"))
    assert names == [f"{TODAY}_{name}.html" for name in ("courseupdate", "recurringnudge_day3", "upgradereminder")]


def test_running_twice_sends_nothing_twice_and_says_so(mailbox):
    open_site()
    enroll(make_learner(), make_course())
    run(NUDGE)
    assert row(run(NUDGE), "recurringnudge_day3") == "recurringnudge_day3 -3 1 1 0 0 0"
    assert len(list(mailbox.glob("20*.html"))) == 1


def test_every_message_is_one_file(mailbox):
    open_site()
    alice = make_learner()
    for number in range(5):
        enroll(alice, make_course(f"Course {number}", weeks=[["a"]]), days_ago=7)
    run(UPDATE)
    assert len(list(mailbox.glob("20*.html"))) == 5


def test_what_is_skipped_is_said_by_reason(mailbox):
    open_site()
    garden = make_course()
    enroll(make_learner("alice", email=""), garden)
    bob = make_learner("bob")
    enroll(bob, garden)
    CourseEmailOptout.objects.create(user=bob, course=garden)
    said = row(run(NUDGE), "recurringnudge_day3")
    assert said == "recurringnudge_day3 -3 2 0 0 2 (no-address 1, opted-out 1) 0"
    assert not list(mailbox.glob("20*.html"))


def test_a_later_run_for_the_day_sends_what_was_in_the_way(mailbox):
    open_site()
    alice = make_learner(email="")
    enroll(alice, make_course())
    run(NUDGE)
    alice.email = "alice@learners.example.com"
    alice.save()
    assert row(run(NUDGE), "recurringnudge_day3") == "recurringnudge_day3 -3 1 0 1 0 0"


@pytest.mark.parametrize("command", COMMANDS)
def test_enqueuing_that_is_off_is_said_with_the_site_and_noted(command, mailbox):
    open_site(enqueue_recurring_nudge=False, enqueue_upgrade_reminder=False, enqueue_course_update=False)
    enroll(make_learner(), make_course())
    said = run(command)
    assert f"Nothing was queued: enqueue_{command.removeprefix('send_')} is off for example.com" in said
    assert {str(run.counts) for run in SendRun.objects.all()} == {"{'stopped': 'enqueue-disabled'}"}
    assert not ScheduledMessage.objects.exists()


def test_delivery_that_is_off_is_said_and_switching_it_on_sends(mailbox):
    site = open_site(deliver_recurring_nudge=False)
    enroll(make_learner(), make_course())
    assert row(run(NUDGE), "recurringnudge_day3") == "recurringnudge_day3 -3 1 0 0 1 (delivery-disabled 1) 0"
    assert ScheduledMessage.objects.get().reason == "delivery-disabled"
    ScheduleConfig.objects.create(site=site, enqueue_recurring_nudge=True, deliver_recurring_nudge=True)
    assert row(run(NUDGE), "recurringnudge_day3") == "recurringnudge_day3 -3 1 0 1 0 0"


def test_an_override_address_gets_everything_and_the_ledger_nothing(email_channel):
    open_site()
    garden = make_course()
    for name in ("alice", "bob"):
        enroll(make_learner(name), garden)
    dan = make_learner("dan")
    enroll(dan, garden)
    CourseEmailOptout.objects.create(user=dan, course=garden)
    for _ in range(2):
        said = run(NUDGE, override_recipient_email="me@example.org")
        assert row(said, "recurringnudge_day3") == "recurringnudge_day3 -3 3 0 2 1 (opted-out 1) 0"
    assert [mail.to for mail in email_channel] == [["me@example.org"]] * 4
    assert len({mail.extra_headers["Message-ID"] for mail in email_channel}) == 4
    assert not ScheduledMessage.objects.exists()
    assert not SendRun.objects.exists()
    run(NUDGE)
    assert sorted(mail.to[0] for mail in email_channel[4:]) == [
        "alice@learners.example.com",
        "bob@learners.example.com",
    ]


def test_an_override_address_leaves_messages_that_were_sent_alone(mailbox):
    open_site()
    enroll(make_learner(), make_course())
    run(NUDGE)
    before = ScheduledMessage.objects.values().get()
    run(NUDGE, override_recipient_email="me@example.org")
    assert ScheduledMessage.objects.values().get() == before
    assert len(list(mailbox.glob("20*.html"))) == 2


def test_a_run_may_be_for_the_past_or_the_future(mailbox):
    open_site()
    enroll(make_learner(), make_course(), days_ago=-500)
    said = run(NUDGE, date=(TODAY + timedelta(days=503)).isoformat())
    assert row(said, "recurringnudge_day3") == "recurringnudge_day3 -3 1 0 1 0 0"


def test_the_site_is_found_whatever_its_case(mailbox):
    open_site()
    assert "for example.com on 2026-03-09" in run(NUDGE, "EXAMPLE.com")


def test_each_weeks_update_is_a_message_of_its_own(mailbox):
    open_site()
    enroll(make_learner(), make_course(weeks=[["dig"], ["sow"]]), days_ago=7)
    for date in (TODAY, TODAY + timedelta(days=7)):
        for _ in range(2):
            run(UPDATE, date=date.isoformat())
    assert sorted(ScheduledMessage.objects.values_list("day_offset", flat=True)) == [-14, -7]
    assert len(list(mailbox.glob("20*.html"))) == 2


def test_weeks_may_be_asked_for(mailbox):
    open_site()
    assert [line.split()[1] for line in run(UPDATE, weeks=3).splitlines()[2:]] == ["-7", "-14", "-21"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.example.com"], r"no site 'nowhere\.example\.com'\. Sites: example\.com"),
        (["--date", "09.03.2026"], r"--date: '09\.03\.2026' cannot be used; give a day of the calendar as YYYY-MM-DD"),
        (["--date", "2026-02-30"], "--date: '2026-02-30' cannot be used; give a day"),
        (["--date", "20260309"], "--date: '20260309' cannot be used; give a day"),
        (["--date", "2026-W11-1"], "--date: '2026-W11-1' cannot be used; give a day"),
        (["--date", "9999-12-31"], "--date: '9999-12-31' cannot be used; give a day"),
        (["--date", ""], "--date: '' cannot be used; give a day"),
        (["--date", "2026-03-09", "--no-catch-up"], "--no-catch-up: not allowed with argument --date"),
        (["--override-recipient-email", "me@"], "--override-recipient-email: 'me@' cannot be used; give one e-mail"),
        (["--override-recipient-email", "a@b.org, c@d.org"], "give one e-mail address"),
        (["--override-recipient-email", ""], "--override-recipient-email: '' cannot be used; give one"),
    ],
)
@pytest.mark.parametrize("command", COMMANDS)
def test_bad_input_is_refused_in_one_line_and_nothing_is_done(command, arguments, said, mailbox):
    open_site()
    enroll(make_learner(), make_course())
    site = [] if arguments[0].startswith("nowhere") else ["example.com"]
    with pytest.raises(CommandError, match=said) as refusal:
        call_command(command, *site, *arguments)
    assert "\n" not in str(refusal.value)
    assert not SendRun.objects.exists()
    assert not list(mailbox.glob("20*.html"))


def test_on_a_command_line_arguments_that_cannot_be_used_are_status_two(capsys):
    for arguments in (["--date", "2026-02-30"], ["--date", "2026-03-09", "--since", "2026-03-09"]):
        with pytest.raises(SystemExit) as end:
            ManagementUtility(["manage.py", NUDGE, "example.com", *arguments]).execute()
        assert end.value.code == 2
    said = capsys.readouterr().err
    assert "argument --date: '2026-02-30' cannot be used; give a day of the calendar as YYYY-MM-DD" in said
    assert "argument --since: not allowed with argument --date" in said


@pytest.mark.parametrize("arguments", [[], ["example.com", "--all-sites"]])
def test_the_daily_command_wants_one_site_or_all(arguments):
    open_site()
    with pytest.raises(CommandError, match="--all-sites"):
        call_command("send_daily", *arguments)
    assert not SendRun.objects.exists()


@pytest.mark.parametrize("day", [TODAY, TODAY.isoformat()])
def test_python_code_may_give_a_day_as_a_date_or_as_text(day, mailbox):
    open_site()
    assert "for example.com on 2026-03-09" in run(NUDGE, date=day)


def test_text_of_python_code_that_is_no_day_is_refused_as_well():
    open_site()
    with pytest.raises(CommandError, match="'yesterday' cannot be used; give a day"):
        run(NUDGE, date="yesterday")
    assert not SendRun.objects.exists()


@pytest.mark.parametrize("weeks", ["0", "-1", "521", "two"])
def test_impossible_weeks_are_refused(weeks):
    open_site()
    with pytest.raises(CommandError, match=rf"--weeks: '{weeks}' cannot be used; give a whole number from 1 to 520"):
        call_command(UPDATE, "example.com", f"--weeks={weeks}")


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_setting_is_refused_with_the_nearest_spelling(command, settings):
    open_site()
    settings.SCHEDULES = {"TIMEZONE": "UTC"}
    with pytest.raises(CommandError, match=r"SCHEDULES\['TIMEZONE'\] is not a setting; did you mean 'TIME_ZONE'"):
        run(command)
    assert not SendRun.objects.exists()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["a list"], r"configuration of example\.com is \['a list'\]; it must map names to values"),
        ({"course_org_filter": 5}, r"course_org_filter of example\.com is 5; give an organization or a list"),
        (
            {"LOGO_URL": 5},
            r"^LOGO_URL of example\.com is 5; give a path on the site, or a URL that begins with https://",
        ),
    ],
)
def test_an_unusable_site_configuration_is_refused_before_anything_is_queued(command, values, said):
    site = open_site()
    SiteConfiguration.objects.bulk_create([SiteConfiguration(site=site, enabled=True, site_values=values)])
    with pytest.raises(CommandError, match=said):
        run(command)
    assert not SendRun.objects.exists()


def test_a_filter_that_is_text_is_one_organization(mailbox):
    site = open_site()
    SiteConfiguration.objects.create(site=site, enabled=True, site_values={"course_org_filter": "MeadowX"})
    enroll(make_learner("alice"), make_course(org="MeadowX"))
    enroll(make_learner("bob"), make_course(org="M"))
    assert row(run(NUDGE), "recurringnudge_day3") == "recurringnudge_day3 -3 1 0 1 0 0"


@pytest.mark.all_bins
def test_a_run_that_ended_keeps_its_totals(mailbox):
    open_site()
    enroll(make_learner(), make_course())
    enroll(make_learner("bob", email=""), make_course())
    run(NUDGE)
    counts = SendRun.objects.get(day_offset=-3).counts
    assert len(counts.pop("bins")) == 24
    assert counts == {
        "found": 2,
        "already": 0,
        "sent": 1,
        "pending": 0,
        "skipped": {"no-address": 1},
        "failed": {},
    }
    assert not SendRun.objects.filter(finished_at=None).exists()


def test_the_file_channel_is_quiet_unless_verbosity_asks(mailbox, capsys):
    open_site()
    enroll(make_learner("alice"), make_course())
    enroll(make_learner("bob"), make_course(), days_ago=10)
    assert "EMAIL" not in run(NUDGE)
    said = run(NUDGE, verbosity=2, override_recipient_email="me@example.org")
    assert said.count("------- EMAIL -------") == said.count("To: me@example.org") == 2
    assert "EMAIL" not in run(NUDGE, verbosity=1, override_recipient_email="me@example.org")
    assert capsys.readouterr().out == ""


def test_verbosity_zero_says_nothing(mailbox):
    open_site()
    assert run(NUDGE, verbosity=0) == ""
