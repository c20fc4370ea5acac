"""The databases under test: one of the suite's own each time, which can be made to refuse everybody."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from uuid import uuid4


class PostgreSQL:
    """A new database; it refuses by a switch of PostgreSQL's own, and ends the connections that there are."""

    name = "PostgreSQL"
    port = 5432
    drivers = ("psycopg",)

    def __init__(self) -> None:
        self.database = f"schedules_{uuid4().hex[:12]}"
        self.url = f"postgresql://postgres@127.0.0.1:5432/{self.database}"

    def create(self) -> None:
        self._command(f"CREATE DATABASE {self.database}")

    def drop(self) -> None:
        self._command(f"DROP DATABASE IF EXISTS {self.database} WITH (FORCE)")

    @contextmanager
    def refusing(self) -> Iterator[None]:
        self._command(f"ALTER DATABASE {self.database} WITH ALLOW_CONNECTIONS false")
        try:
            self._command(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self.database}'")
            yield
        finally:
            self._command(f"ALTER DATABASE {self.database} WITH ALLOW_CONNECTIONS true")

    def rows(self, sql: str) -> Sequence[tuple[Any, ...]]:
        """What a query answers."""
        with self._connect(self.database) as connection:
            return connection.execute(sql).fetchall()

    def _command(self, sql: str) -> None:
        with self._connect("postgres") as connection:
            connection.execute(sql)

    def _connect(self, database: str) -> Any:
        import psycopg

        where = {"host": "127.0.0.1", "port": self.port, "user": "postgres", "dbname": database}
        return psycopg.connect(**where, autocommit=True, options="-c timezone=UTC")


class MariaDB:
    """A new database with a user of its own; it refuses by locking that user, and ends their connections."""

    name = "MariaDB"
    port = 3306
    drivers = ("pymysql",)

    def __init__(self) -> None:
        self.database = f"schedules_{uuid4().hex[:12]}"
        self.password = uuid4().hex
        self.url = f"mysql://{self.database}:{self.password}@127.0.0.1:3306/{self.database}"

    def create(self) -> None:
        self._command(
            f"CREATE DATABASE {self.database} CHARACTER SET utf8mb4",
            f"CREATE USER {self.database} IDENTIFIED BY '{self.password}'",
            f"GRANT ALL ON {self.database}.* TO {self.database}",
        )

    def drop(self) -> None:
        self._command(f"DROP DATABASE IF EXISTS {self.database}", f"DROP USER IF EXISTS {self.database}")

    @contextmanager
    def refusing(self) -> Iterator[None]:
        self._command(f"ALTER USER {self.database} ACCOUNT LOCK")
        try:
            until = time.monotonic() + 1  # those who are just coming in are not in the list yet
            while time.monotonic() < until:
                self._end_connections()
                time.sleep(0.2)
            yield
        finally:
            self._command(f"ALTER USER {self.database} ACCOUNT UNLOCK")

    def rows(self, sql: str) -> Sequence[tuple[Any, ...]]:
        """What a query answers."""
        with self._connect(self.database) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    def _end_connections(self) -> None:
        import pymysql

        with self._connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"SELECT id FROM information_schema.processlist WHERE user = '{self.database}'")
            for (number,) in cursor.fetchall():
                with suppress(pymysql.err.OperationalError):  # it has gone of itself
                    cursor.execute(f"KILL {number}")

    def _command(self, *statements: str) -> None:
        with self._connect() as connection, connection.cursor() as cursor:
            for sql in statements:
                cursor.execute(sql)

    def _connect(self, database: str | None = None) -> Any:
        import pymysql

        return pymysql.connect(host="127.0.0.1", port=self.port, user="root", database=database, autocommit=True)


Database = PostgreSQL | MariaDB
DATABASES = {"postgresql": PostgreSQL, "mariadb": MariaDB}
