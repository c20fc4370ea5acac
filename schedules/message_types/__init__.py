"""The message types: each module here is one, with a resolver (who) and an edx-ace message (what).

To add one, copy a neighbour; nothing else lists them.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil

from schedules.exceptions import ConfigurationError
from schedules.finding.resolving import Resolver


@functools.cache
def resolvers() -> dict[str, type[Resolver]]:
    """Key -> resolver class, for every module of this package."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return {resolver.key: resolver for resolver in sorted(Resolver.__subclasses__(), key=lambda one: one.key)}


def resolver_for(key: str) -> type[Resolver]:
    """The resolver of one message type. Raises `ConfigurationError` that names those there are."""
    try:
        return resolvers()[key]
    except KeyError:
        known = ", ".join(resolvers())
        raise ConfigurationError(f"There is no message type {key!r}. Message types: {known}.") from None


def messages() -> dict[str, tuple[type[Resolver], int]]:
    """Message name -> its resolver class and a day offset at which it is due, also if no setting asks for it."""
    found: dict[str, tuple[type[Resolver], int]] = {}
    for resolver in resolvers().values():
        for offset in (*resolver.day_offsets(), *resolver.further_day_offsets):
            found.setdefault(resolver.message_name(offset), (resolver, offset))
    return found


def message_names() -> list[str]:
    """Every message name that the settings ask for; each needs templates."""
    return sorted(
        {resolver.message_name(offset) for resolver in resolvers().values() for offset in resolver.day_offsets()}
    )
