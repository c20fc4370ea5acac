"""The Django project of manage.py: `schedules` plugged into the embedded LMS."""

from demo.celery import app as celery_app

__all__ = ["celery_app"]
