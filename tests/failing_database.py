"""A database that fails, as far as the code can tell."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from typing import Any

from django.db import connection


def refusing(error: BaseException, *words: str, times: float = math.inf) -> AbstractContextManager[None]:
    """The database raises `error` at statements that have all these words, as often as is said."""

    def refuse(execute: Any, sql: str, *more: Any) -> Any:
        nonlocal times
        if times and all(word in sql for word in words):
            times -= 1
            raise error
        return execute(sql, *more)

    return connection.execute_wrapper(refuse)
