import pytest
from django.urls import reverse
pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.integration.admin_urls")]
def test_x(admin_client):
    r = admin_client.get(reverse("admin:schedules_ownwords_add"))
    assert r.status_code == 200
    r = admin_client.post(reverse("admin:schedules_ownwords_preview"), {"site": 1, "message_name": "recurringnudge_day3", "intro": "Hi {name}, *x*", "subject":"{oops}"}, headers={"accept":"application/json"})
    print(r.json()["errors"])
    r = admin_client.post(reverse("admin:schedules_ownwords_preview"), {"site": 1, "message_name": "recurringnudge_day3", "intro": "Hi {name}, *x*"}, headers={"accept":"application/json"})
    print(str(r.json())[:500])
    r = admin_client.post(reverse("admin:schedules_ownwords_send"), {"site": 1, "message_name": "recurringnudge_day3", "intro": "Hi {name}, *x*"}, headers={"accept":"application/json"})
    print(str(r.json())[:500])
