"""Which faults of a database waiting can mend, and how to wait for it: a failover, a restart, a deadlock, a full disk.

The lists are by meaning, in each database's own codes; what stands in none of them is a mistake of ours or of an
operator's, and stays one however long anybody waits.
"""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from django.db import Error, connections

from schedules.conf import conf
from schedules.exceptions import SchedulesError
from schedules.values.text import without_addresses

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

SECONDS_BETWEEN_TRIES = 1.0

#: The part of a lease for which a database that is away is waited for.
PATIENCE = 1 / 4

#: A host is not waited for any longer: its database may be another than ours, and what needs it has a next try.
MAX_SECONDS_FOR_HOST = 10

#: SQLSTATEs by their beginning (https://www.postgresql.org/docs/current/errcodes-appendix.html).
_POSTGRESQL = (
    "08",  # the connection failed or broke
    "25006",  # read-only: the server is a standby now, or its operator says so
    "25P03",  # the server ended a session that was idle
    "40001",  # serialization failure
    "40003",  # nobody knows whether the statement was completed
    "40P01",  # deadlock
    "53",  # out of disk, memory or connections
    "55P03",  # a lock took too long
    "57014",  # a statement took too long
    "57P01",  # the server, or an operator, ended the session
    "57P02",  # crash
    "57P03",  # it starts, stops or recovers
    "57P05",  # the server ended a session that was idle
    "58000",  # the operating system failed
    "58030",  # a disk failed
)

#: Numbers of MySQL's and MariaDB's errors (https://mariadb.com/kb/en/mariadb-error-code-reference/).
_MYSQL = frozenset(
    {
        *(1792, 1836),  # read-only; see also _MYSQL_OPTION
        *(0, 2002, 2003, 2005, 2006, 2012, 2013, 2014, 2055),  # the connection is closed, refused, lost or out of step
        *(1042, 1043, 1053, 1077, 1079, 1158, 1159, 1160, 1161, 1184, 1927, 4031),  # it stops; it ended the session
        *(3118, 4151),  # nobody is let in: the account is locked
        *(1020, 1213, 1614, 3101),  # deadlock; the row has changed since it was read; rolled back
        *(1205, 1206, 3572),  # a lock took too long, or there are too many
        *(1040, 1203, 1226, 1637),  # too many connections, or too much of what is rationed
        *(1317, 1969, 3024),  # a statement took too long
        *(1021, 1037, 1038, 1041, 1114),  # out of disk or memory
    }
)

#: “The server is running with the --read-only option”; the same number has other options too.
_MYSQL_OPTION = 1290

#: Primary result codes (https://www.sqlite.org/rescode.html): BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, FULL,
#: CANTOPEN, PROTOCOL.
_SQLITE = frozenset({5, 6, 7, 8, 9, 10, 13, 14, 15})


#: Every driver's errors have these names among their classes (PEP 249; asyncpg has one of its own): no class in common.
_FAULTS_OF_DATABASES = frozenset({"DatabaseError", "InterfaceError", "OperationalError", "PostgresError"})
#: Without a code the driver speaks of the connection itself: it is closed, refused or gone.
_FAULTS_OF_CONNECTIONS = frozenset({"InterfaceError", "OperationalError"})


def is_of_database(error: BaseException) -> bool:
    """Whether it is an error of Django's database layer, or of a driver that somebody uses past it."""
    return not _FAULTS_OF_DATABASES.isdisjoint(_names(error))


def is_transient(error: BaseException) -> bool:
    """Whether the same may succeed later, unchanged. `error` is the driver's, or has that as its cause; or is ours."""
    found = _behind(error)
    if found is None or not is_of_database(found):
        return False
    for link in (found, found.__cause__):
        if link is not None and (answer := _by_code(link)) is not None:
            return answer
    return not _FAULTS_OF_CONNECTIONS.isdisjoint(_names(found))


def _by_code(error: BaseException) -> bool | None:
    """What the database's own code says; `None` where there is none."""
    number = next(iter(error.args), None) if is_of_database(error) else None
    if isinstance(number, int):  # MySQL's and MariaDB's drivers
        is_read_only = number == _MYSQL_OPTION and "read-only" in str(error.args[1:]).replace("_", "-")
        return number in _MYSQL or is_read_only
    if (code := getattr(error, "sqlite_errorcode", None)) is not None:
        return code & 0xFF in _SQLITE
    if state := getattr(error, "sqlstate", None) or getattr(error, "pgcode", None):  # psycopg 3 or 2
        return str(state).startswith(_POSTGRESQL)
    return None


def _names(error: BaseException) -> set[str]:
    return {cls.__name__ for cls in type(error).__mro__}


def in_words(error: BaseException) -> str:
    """A sentence about an error that `is_transient`, with what the driver says."""
    found = _behind(error)
    text = next(iter(str(found).splitlines()), "")
    return f"The database cannot be used for now ({type(found).__name__}: {without_addresses(text)})."


def _behind(error: BaseException | None) -> BaseException | None:
    """What one of ours stands for, such as a `HostError` or `TaskFailed`, unless that says itself that it stays so."""
    while isinstance(error, SchedulesError) and getattr(error, "is_temporary", True):
        error = error.__cause__ or error.__context__
    return error


def reconnect() -> None:
    """The next question to any database has a new connection; but for those with a transaction under way.

    An error does not say whose connection it was. An old one may lead to a server that is read-only from now on,
    though it answers.
    """
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()


def outlast(act: Callable[[], T], seconds: float) -> T:
    """`act()`, tried again for so many seconds while a database is away; that of a host, for some of them.

    `act` must be one that may be done twice. Each try has new connections. Raises what it raised last; within a
    transaction at once, for the error has spoiled it.
    Side effect: sleeps.
    """
    begun = time.monotonic()
    is_away = False
    while True:
        try:
            return act()
        except (Error, SchedulesError) as error:
            is_in_transaction = any(connection.in_atomic_block for connection in connections.all(initialized_only=True))
            patience = seconds if isinstance(error, Error) else min(seconds, MAX_SECONDS_FOR_HOST)
            if is_in_transaction or not is_transient(error) or time.monotonic() >= begun + patience:
                raise
            if not is_away:
                log.warning("A database is away; waiting for it: %s", type(_behind(error)).__name__)
        is_away = True
        reconnect()
        time.sleep(SECONDS_BETWEEN_TRIES)


def outlasting(act: Callable[P, T]) -> Callable[P, T]:
    """Decorates what may be done twice: it outlasts a database that is away for a part of a lease."""

    @functools.wraps(act)
    def patient(*args: P.args, **kwargs: P.kwargs) -> T:
        return outlast(lambda: act(*args, **kwargs), conf.lease_seconds * PATIENCE)

    return patient
