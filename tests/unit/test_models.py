"""What the models promise a host."""

from django.apps import apps
from django.contrib.auth import get_user_model


def test_the_user_model_keeps_its_names_to_itself():
    """A host has a `schedules` of its own."""
    ours = set(apps.get_app_config("schedules").get_models())
    names = {field.name for field in get_user_model()._meta.get_fields() if field.related_model in ours}
    assert names == set()
