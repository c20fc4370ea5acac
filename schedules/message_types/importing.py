"""A class that a setting names by its dotted path."""

from __future__ import annotations

from typing import TypeVar

from django.utils.module_loading import import_string

from schedules.exceptions import ConfigurationError

T = TypeVar("T")


def imported(key: str, path: str, cls: type[T]) -> type[T]:
    """The subclass of `cls` at `path`, which `SCHEDULES[key]` names. Raises `ConfigurationError` if there is none."""
    try:
        found = import_string(path)
    except (Exception, SystemExit) as error:  # a module may raise anything while it is imported
        raise ConfigurationError(
            f"SCHEDULES[{key!r}] names {path!r}, which cannot be imported: {type(error).__name__}: {error}"
        ) from error
    if not (isinstance(found, type) and issubclass(found, cls)):
        raise ConfigurationError(f"SCHEDULES[{key!r}] names {path!r}; give subclasses of {cls.__name__}.")
    return found
