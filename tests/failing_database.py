"""A database that fails, as far as the code can tell."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from typing import Any

from django.db import DEFAULT_DB_ALIAS, OperationalError, connection, connections


def refusing(error: BaseException, *words: str, times: float = math.inf) -> AbstractContextManager[None]:
    """The database raises `error` at statements that have all these words, as often as is said."""

    def refuse(execute: Any, sql: str, *more: Any) -> Any:
        nonlocal times
        if times and all(word in sql for word in words):
            times -= 1
            raise error
        return execute(sql, *more)

    return connection.execute_wrapper(refuse)


class Session:
    """Our session with the database, which ends when `ends()`, a function of the next statement, says so.

    As a driver's, it is of no use from then on: whatever is asked over it fails until Django closes the connection.
    While `is_locked()`, there is no new one. In the test's database closing does nothing, so it is looked at.
    """

    def __init__(self, monkeypatch: Any) -> None:
        self.ends = lambda sql: False
        self.is_locked = lambda: False
        self.ended = 0
        self.is_dead = False
        cls = type(connections[DEFAULT_DB_ALIAS])
        close, connect = cls.close, cls.ensure_connection

        def look_and_close(one: Any) -> None:
            self.is_dead = False
            close(one)

        def connect_or_be_refused(one: Any) -> None:
            if self.is_locked() and not self.is_dead:
                raise OperationalError(4151, "Access denied, this account is locked")
            connect(one)

        monkeypatch.setattr(cls, "close", look_and_close)
        monkeypatch.setattr(cls, "ensure_connection", connect_or_be_refused)

    def __call__(self, execute: Any, sql: str, *more: Any) -> Any:
        if self.is_dead:
            raise OperationalError("the connection is closed")
        if self.ends(sql):
            self.ended += 1
            self.is_dead = True
            raise OperationalError(1927, "Connection was killed")
        return execute(sql, *more)
