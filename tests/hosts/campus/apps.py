from django.apps import AppConfig


class CampusConfig(AppConfig):
    name = "tests.hosts.campus"
    label = "campus"
    default_auto_field = "django.db.models.BigAutoField"
