"""Fields of the app's own."""

from __future__ import annotations

from typing import Any

from django.db import models


class EnrolledAtField(models.DateTimeField):
    """When an episode began. Where it is not given, that is when the learner could begin: the model's `START_FIELD`."""

    def deconstruct(self) -> Any:
        """To a migration it is a date as any other."""
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.DateTimeField", args, kwargs

    def pre_save(self, model_instance: Any, add: bool) -> Any:
        if getattr(model_instance, self.attname) is None:
            setattr(model_instance, self.attname, getattr(model_instance, model_instance.START_FIELD))
        return super().pre_save(model_instance, add)
