"""The clock that all hosts share: the database's. Leases and rate limits go by it; a host's own may be wrong."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models.expressions import Combinable
from django.db.models.functions import Now


class _SharedClock(Now):
    def as_mysql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """In UTC, as Django stores it; `CURRENT_TIMESTAMP` would be in the session's own time zone."""
        return self.as_sql(compiler, connection, template="UTC_TIMESTAMP(6)", **context)


#: What to give as `now` where hosts have to agree: the database reads its clock in the statement itself, so that
#: nobody can be suspended between the reading and its use.
SHARED_CLOCK = _SharedClock()

#: Time is an argument: a datetime, or the clock that the database reads.
Instant = datetime | Combinable
