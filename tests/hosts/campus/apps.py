from django.apps import AppConfig


class CampusConfig(AppConfig):
    name = "tests.hosts.campus"
    label = "tests_campus"
    default_auto_field = "django.db.models.BigAutoField"
