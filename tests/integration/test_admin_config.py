"""The admin of what staff switch."""

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.sites.models import Site
from django.urls import reverse
from waffle.models import Flag

from schedules.models import (
    CourseDynamicUpgradeDeadlineConfiguration,
    DynamicUpgradeDeadlineConfiguration,
    OrgDynamicUpgradeDeadlineConfiguration,
    ScheduleConfig,
    WaffleFlagCourseOverride,
    WaffleFlagOrgOverride,
)
from tests.integration.admin_fakes import count_queries

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.integration.admin_urls")]

CREATE_FLAG = "schedules.create_schedules_for_course"
CONFIG_LIST = "admin:schedules_scheduleconfig_changelist"
CONFIG_ADD = "admin:schedules_scheduleconfig_add"


@pytest.fixture
def site():
    return Site.objects.get()


def add(client, model, **values):
    url = reverse(f"admin:schedules_{model._meta.model_name}_add")
    return client.post(url, values)


def test_staff_switch_a_site_on_and_are_named_as_the_ones_who_did(admin_client, admin_user, site):
    response = add(
        admin_client,
        ScheduleConfig,
        site=site.pk,
        create_schedules="on",
        deliver_course_update="on",
        hold_back_ratio=0.2,
    )

    assert response.status_code == 302
    config = ScheduleConfig.current(site)
    assert config.create_schedules
    assert config.deliver_course_update
    assert not config.enqueue_course_update
    assert config.hold_back_ratio == 0.2
    assert config.changed_by == admin_user


def test_the_list_shows_each_sites_switches_with_icons(admin_client, site):
    ScheduleConfig.objects.create(site=site, enqueue_course_update=True)

    page = admin_client.get(reverse(CONFIG_LIST)).text

    columns = [heading.split("</")[0] for heading in page.split('<div class="text">')]
    assert any("Course update" in heading for heading in columns)
    on, off = (
        '<img src="/static/admin/img/icon-yes.svg" alt="on">',
        '<img src="/static/admin/img/icon-no.svg" alt="off">',
    )
    assert page.count(f"find&nbsp;{on} send&nbsp;{off}") == 1
    assert page.count(f"find&nbsp;{off} send&nbsp;{off}") == 2


@pytest.mark.parametrize("ratio", ["1.2", "-0.1", "20"])
def test_a_hold_back_ratio_outside_0_to_1_is_refused_with_one_clear_line(admin_client, site, ratio):
    response = add(admin_client, ScheduleConfig, site=site.pk, hold_back_ratio=ratio)

    assert response.context["adminform"].errors == {
        "hold_back_ratio": ["The ratio is a number from 0 (nobody) to 1 (everybody)."]
    }
    assert "The ratio is a number from 0 (nobody) to 1 (everybody)." in response.text
    assert not ScheduleConfig.objects.exists()


@pytest.mark.parametrize("ratio", ["0", "1"])
def test_nobody_and_everybody_are_ratios_that_can_be_saved(admin_client, site, ratio):
    add(admin_client, ScheduleConfig, site=site.pk, hold_back_ratio=ratio)

    assert ScheduleConfig.current(site).hold_back_ratio == float(ratio)


def test_the_enabled_column_that_nothing_reads_is_not_shown(admin_client, site):
    ScheduleConfig.objects.create(site=site)

    assert 'name="enabled"' not in admin_client.get(reverse(CONFIG_ADD)).text
    assert "column-enabled" not in admin_client.get(reverse(CONFIG_LIST)).text


def test_a_change_starts_from_what_counts_now_and_keeps_the_old_row(admin_client, site):
    before = ScheduleConfig.objects.create(site=site, create_schedules=True, hold_back_ratio=0.5)

    form = admin_client.get(reverse(CONFIG_ADD), {"source": before.pk}).context["adminform"].form
    assert form.initial["create_schedules"] is True
    assert form.initial["hold_back_ratio"] == 0.5
    add(admin_client, ScheduleConfig, site=site.pk, hold_back_ratio=0.1)

    current = admin_client.get(reverse(CONFIG_LIST)).context["cl"].result_list
    everything = admin_client.get(reverse(CONFIG_LIST), {"show_history": "1"}).context["cl"].result_list
    assert [row.hold_back_ratio for row in current] == [0.1]
    assert [row.hold_back_ratio for row in everything] == [0.1, 0.5]


def test_an_old_row_can_be_opened_and_not_be_saved_over(admin_client, site):
    old = ScheduleConfig.objects.create(site=site, hold_back_ratio=0.5)
    ScheduleConfig.objects.create(site=site)
    page = reverse("admin:schedules_scheduleconfig_change", args=[old.pk])

    response = admin_client.get(page)
    assert response.status_code == 200
    assert 'name="_save"' not in response.text
    assert f"{reverse(CONFIG_ADD)}?source={old.pk}" in response.text
    assert admin_client.post(page, {"hold_back_ratio": 0}).status_code == 403
    assert ScheduleConfig.objects.count() == 2


def test_going_back_to_an_old_row_adds_a_copy_of_it(admin_client, admin_user, site):
    old = ScheduleConfig.objects.create(site=site, hold_back_ratio=0.5)
    ScheduleConfig.objects.create(site=site)

    admin_client.post(
        f"{reverse(CONFIG_LIST)}?show_history=1", {"action": "revert", "_selected_action": [old.pk], "index": 0}
    )

    assert ScheduleConfig.current(site).hold_back_ratio == 0.5
    assert ScheduleConfig.current(site).changed_by == admin_user
    assert ScheduleConfig.objects.count() == 3


def test_staff_who_may_only_look_cannot_go_back_to_an_old_row(client, site):
    victor = User.objects.create_user("victor", is_staff=True)
    victor.user_permissions.add(Permission.objects.get(codename="view_scheduleconfig"))
    client.force_login(victor)
    old = ScheduleConfig.objects.create(site=site, hold_back_ratio=0.5)

    page = client.post(reverse(CONFIG_LIST), {"action": "revert", "_selected_action": [old.pk], "index": 0})

    assert page.status_code in {200, 302}
    assert ScheduleConfig.objects.count() == 1
    assert "edit_link" not in client.get(reverse(CONFIG_LIST)).text
    assert client.post(reverse(CONFIG_ADD), {"site": site.pk, "hold_back_ratio": 0}).status_code == 403


def test_an_address_with_a_source_that_is_not_a_number_shows_an_empty_form(admin_client):
    assert admin_client.get(reverse(CONFIG_ADD), {"source": "x"}).status_code == 200


def test_configuration_is_never_deleted(admin_client, site):
    row = ScheduleConfig.objects.create(site=site)

    assert admin_client.post(reverse("admin:schedules_scheduleconfig_delete", args=[row.pk])).status_code == 403


def test_the_platforms_deadline_starts_from_what_counts_now(admin_client, admin_user):
    DynamicUpgradeDeadlineConfiguration.objects.create(enabled=True, deadline_days=30)
    DynamicUpgradeDeadlineConfiguration.objects.create(enabled=True, deadline_days=14)

    url = reverse("admin:schedules_dynamicupgradedeadlineconfiguration_add")
    assert admin_client.get(url).context["adminform"].form.initial["deadline_days"] == 14
    add(admin_client, DynamicUpgradeDeadlineConfiguration, enabled="on", deadline_days=10)

    newest = DynamicUpgradeDeadlineConfiguration.current()
    assert (newest.deadline_days, newest.enabled, newest.changed_by) == (10, True, admin_user)
    page = admin_client.get(reverse("admin:schedules_dynamicupgradedeadlineconfiguration_change", args=[newest.pk]))
    assert f'href="{url}"' in page.text


def test_blanks_around_an_organization_or_a_course_are_dropped(admin_client):
    add(admin_client, OrgDynamicUpgradeDeadlineConfiguration, org_id=" Meadow ", enabled="on", deadline_days=7)
    add(admin_client, CourseDynamicUpgradeDeadlineConfiguration, course_id="\tX+Y+Z\n", opt_out="on", deadline_days=7)

    assert OrgDynamicUpgradeDeadlineConfiguration.objects.get().org_id == "Meadow"
    course = CourseDynamicUpgradeDeadlineConfiguration.objects.get()
    assert (course.course_id, course.enabled, course.opt_out) == ("X+Y+Z", False, True)


def test_an_override_is_stored_for_a_course_and_for_an_organization(admin_client, admin_user):
    add(admin_client, WaffleFlagOrgOverride, waffle_flag=CREATE_FLAG, org=" Meadow", enabled="on", override_choice="on")
    add(
        admin_client,
        WaffleFlagCourseOverride,
        waffle_flag=CREATE_FLAG,
        course_id="X+Y+Z ",
        enabled="on",
        override_choice="off",
    )

    assert WaffleFlagOrgOverride.current(CREATE_FLAG, "Meadow").is_on
    override = WaffleFlagCourseOverride.current(CREATE_FLAG, "X+Y+Z")
    assert (override.enabled, override.is_on, override.changed_by) == (True, False, admin_user)


@pytest.mark.parametrize("flag", ["", "schedules.creat_schedules_for_course"])
def test_an_override_of_no_flag_or_of_one_that_does_not_exist_is_refused(admin_client, flag):
    response = add(admin_client, WaffleFlagOrgOverride, waffle_flag=flag, org="Meadow", override_choice="on")

    assert "waffle_flag" in response.context["adminform"].errors
    assert not WaffleFlagOrgOverride.objects.exists()


def test_the_flags_to_choose_from_are_ours_those_of_the_waffle_and_those_overridden_before(admin_client):
    Flag.objects.create(name="school.new_player")
    WaffleFlagOrgOverride.objects.create(waffle_flag="school.gone", org="Meadow", override_choice="on")

    page = admin_client.get(reverse("admin:schedules_waffleflagorgoverride_add"))

    form = page.context["adminform"].form
    assert [name for name, _ in form.fields["waffle_flag"].choices] == [CREATE_FLAG, "school.new_player", "school.gone"]
    assert form.initial["enabled"] is True


@pytest.mark.parametrize("column", ["waffle_flag", "override_choice"])
def test_overrides_are_filtered(admin_client, column):
    one = WaffleFlagOrgOverride.objects.create(waffle_flag="a", org="Meadow", override_choice="on")
    WaffleFlagOrgOverride.objects.create(waffle_flag="b", org="Meadow", override_choice="off")

    url = reverse("admin:schedules_waffleflagorgoverride_changelist")
    response = admin_client.get(url, {f"{column}__exact" if column != "waffle_flag" else column: getattr(one, column)})

    assert list(response.context["cl"].result_list) == [one]


def test_the_list_asks_the_database_as_often_for_fifty_sites_as_for_one(admin_client, admin_user, site):
    ScheduleConfig.objects.create(site=site, changed_by=admin_user)
    for_one = count_queries(admin_client, CONFIG_LIST)
    for number in range(49):
        other = Site.objects.create(domain=f"site{number}.example.com", name=str(number))
        ScheduleConfig.objects.create(site=other, changed_by=admin_user)

    assert count_queries(admin_client, CONFIG_LIST) == for_one
    assert len(admin_client.get(reverse(CONFIG_LIST)).context["cl"].result_list) == 50
