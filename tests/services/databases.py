"""The databases under test: one of the suite's own each time, which can be made to refuse everybody.

Read-only, for sessions that there are as well, only a whole server can be; so there are servers of the suite's own too.
"""

from __future__ import annotations

import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.services.servers import Server


class PostgreSQL:
    """A new database; it refuses by a switch of PostgreSQL's own, and ends the connections that there are."""

    name = "PostgreSQL"
    port: int | None = 5432
    drivers = ("psycopg",)

    def __init__(self) -> None:
        self.database = f"schedules_{uuid4().hex[:12]}"
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/{self.database}"

    def create(self) -> None:
        self._command(f"CREATE DATABASE {self.database}")

    def drop(self) -> None:
        self._command(f"DROP DATABASE IF EXISTS {self.database} WITH (FORCE)")

    @contextmanager
    def refusing(self) -> Iterator[None]:
        self._command(f"ALTER DATABASE {self.database} WITH ALLOW_CONNECTIONS false")
        try:
            self.end_sessions()
            yield
        finally:
            self._command(f"ALTER DATABASE {self.database} WITH ALLOW_CONNECTIONS true")

    def end_sessions(self) -> None:
        self._command(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self.database}'")

    def rows(self, sql: str) -> Sequence[tuple[Any, ...]]:
        """What a query answers."""
        with self._connect(self.database) as connection:
            return connection.execute(sql).fetchall()

    def _command(self, *statements: str) -> None:
        with self._connect("postgres") as connection:
            for sql in statements:
                connection.execute(sql)

    def _connect(self, database: str) -> Any:
        import psycopg

        where = {"host": "127.0.0.1", "port": self.port, "user": "postgres", "dbname": database}
        return psycopg.connect(**where, autocommit=True, options="-c timezone=UTC")


class OwnPostgreSQL(PostgreSQL):
    """A server of our own. PostgreSQL refuses to be run by root."""

    port = None  # its own, free one
    programs = tuple(
        str(next(iter(sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)), name))
        for name in ("postgres", "initdb")
    )

    def __init__(self) -> None:
        self.server = Server(_new_folder("postgresql"), self.programs[0], user="postgres")
        self.port = self.server.port
        super().__init__()

    def create(self) -> None:
        data = str(self.server.folder / "data")
        self.server.prepare(self.programs[1], "-D", data, "-U", "postgres", "-A", "trust", "--no-sync")
        options = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off", "port": self.port}
        self.server.start(["-D", data, *(f"--{name}={value}" for name, value in options.items())])
        self._when_it_is_ready(super().create)

    def _when_it_is_ready(self, act: Callable[[], None]) -> None:
        """It listens a moment before it lets anybody in."""
        import psycopg

        for _ in range(100):
            with suppress(psycopg.OperationalError):
                return act()
            time.sleep(0.1)
        return act()

    def drop(self) -> None:
        self.server.stop(signal.SIGINT)
        shutil.rmtree(self.server.folder)

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """As on a standby: whoever is connected stays so, and cannot write."""
        self._command("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
        try:
            yield
        finally:
            self._command("ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()")


class MariaDB:
    """A new database with a user of its own; it refuses by locking that user, and ends their connections."""

    name = "MariaDB"
    port: int | None = 3306
    drivers = ("pymysql",)

    def __init__(self) -> None:
        self.database = f"schedules_{uuid4().hex[:12]}"
        self.password = uuid4().hex
        self.url = f"mysql://{self.database}:{self.password}@127.0.0.1:{self.port}/{self.database}"

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
                self.end_sessions()
                time.sleep(0.2)
            yield
        finally:
            self._command(f"ALTER USER {self.database} ACCOUNT UNLOCK")

    def rows(self, sql: str) -> Sequence[tuple[Any, ...]]:
        """What a query answers."""
        with self._connect(self.database) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    def end_sessions(self) -> None:
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


class OwnMariaDB(MariaDB):
    """A server of our own."""

    port = None
    programs = ("/usr/sbin/mariadbd", "mariadb-install-db")

    def __init__(self) -> None:
        self.server = Server(_new_folder("mariadb"), self.programs[0], user="mysql")
        self.port = self.server.port
        super().__init__()

    def create(self) -> None:
        data = f"--datadir={self.server.folder / 'data'}"
        normal = "--auth-root-authentication-method=normal"
        self.server.prepare(self.programs[1], "--no-defaults", data, normal, "--skip-test-db")
        options = {
            "bind-address": "127.0.0.1",
            "port": self.port,
            "socket": self.server.folder / "socket",
            "pid-file": self.server.folder / "pid",
            "innodb-flush-log-at-trx-commit": 0,
        }
        self.server.start(["--no-defaults", data, *(f"--{name}={value}" for name, value in options.items())])
        super().create()

    def drop(self) -> None:
        self.server.stop(signal.SIGTERM)
        shutil.rmtree(self.server.folder)

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """As on a replica: whoever is connected stays so, and cannot write."""
        self._command("SET GLOBAL read_only = 1")
        try:
            yield
        finally:
            self._command("SET GLOBAL read_only = 0")


def _new_folder(name: str) -> Path:
    """One that another user may enter, and whose path is short enough for a socket's."""
    return Path(tempfile.mkdtemp(prefix=f"schedules_{name}_"))


Database = PostgreSQL | MariaDB
DATABASES = {"postgresql": PostgreSQL, "mariadb": MariaDB}
