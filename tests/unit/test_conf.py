"""Settings are read afresh, and a mistake is named."""

import pytest
from django.test import override_settings

from schedules.conf import conf
from schedules.exceptions import ConfigurationError


def test_it_reads_settings_afresh():
    with override_settings(SCHEDULES={"RECURRING_NUDGE_DAYS": [3, 10, 19]}):
        assert conf.recurring_nudge_days == (3, 10, 19)
    with override_settings(SCHEDULES={}):
        assert conf.recurring_nudge_days == (3, 10)


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"RECURING_NUDGE_DAYS": [3]}, r"'RECURING_NUDGE_DAYS'.* did you mean 'RECURRING_NUDGE_DAYS'"),
        ({"RECURRING_NUDGE_DAYS": [3, 3]}, r"RECURRING_NUDGE_DAYS.*\[3, 3\].*allowed: a list of different"),
        ({"RECURRING_NUDGE_DAYS": [0]}, "allowed: a list of different whole numbers from 1"),
        ({"RECURRING_NUDGE_DAYS": "3"}, "allowed: a list of different whole numbers from 1"),
        ({"RECURRING_NUDGE_DAYS": [[3]]}, r"\[\[3\]\]; allowed: a list of different whole numbers from 1 to 10000"),
        ({"UPGRADE_REMINDER_DAYS": 4_000_000}, "4000000; allowed: a whole number from 1 to 10000"),
        ({"COURSE_UPDATE_WEEKS": 521}, "521; allowed: a whole number from 1 to 520"),
        ({"MESSAGE_TTL_DAYS": {"recurring_nudge": 10**9}}, "allowed: a dict of .* whole numbers from 1 to 10000"),
        ({"SEGMENT_URL": "http://[::1"}, r"http://\[::1'; allowed: a URL that begins with https://"),
        ({"COURSE_UPDATE_WEEKS": True}, "COURSE_UPDATE_WEEKS.*True; allowed: a whole number"),
        ({"DELIVERY_BATCH_SIZE": 101}, "DELIVERY_BATCH_SIZE.*from 1 to 100;?"),
        ({"TIME_ZONE": "Mars/Base"}, "TIME_ZONE.*Mars/Base.*pytz"),
        ({"HOST": 3}, "HOST.*a dotted path to a class"),
        ({"HOLD_BACK_SALT": 12345}, r"HOLD_BACK_SALT.*\(hidden\)"),
        ("text", "SCHEDULES is 'text'; give a dict"),
    ],
)
def test_it_refuses_what_it_cannot_use_and_says_what_is_allowed(own, said):
    with override_settings(SCHEDULES=own), pytest.raises(ConfigurationError, match=said):
        conf.validate()


def test_the_hold_back_salt_is_secret_and_stable_unless_set():
    with override_settings(SCHEDULES={}, SECRET_KEY="a"):
        derived = conf.hold_back_salt
        assert derived == conf.hold_back_salt
        assert derived != "a"
    with override_settings(SCHEDULES={}, SECRET_KEY="b"):
        assert conf.hold_back_salt != derived
    with override_settings(SCHEDULES={"HOLD_BACK_SALT": "grain"}):
        assert conf.hold_back_salt == "grain"
