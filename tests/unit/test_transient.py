"""What waiting can mend is told from what it cannot, by each database's own codes; and waiting ends in time."""

import sqlite3

import pytest
from django.db import (
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    connections,
)

from schedules.database.transient import MAX_SECONDS_FOR_HOST, is_transient, outlast
from schedules.exceptions import HostError, TaskFailed


class DriverError(Exception):
    def __init__(self, **codes):
        super().__init__()
        vars(self).update(codes)


def caused(error, **codes):
    error.__cause__ = DriverError(**codes)
    return error


@pytest.mark.parametrize("name", ["sqlstate", "pgcode"])
@pytest.mark.parametrize(
    ("kind", "state", "expected"),
    [
        (InternalError, "25006", True),  # read-only
        (OperationalError, "57P01", True),
        (OperationalError, "57P03", True),
        (OperationalError, "08006", True),
        (OperationalError, "40P01", True),
        (OperationalError, "40001", True),
        (OperationalError, "53300", True),
        (OperationalError, "53100", True),
        (OperationalError, "55P03", True),
        (InternalError, "25P02", False),  # our own transaction had failed before
        (OperationalError, "57P04", False),  # the database was dropped
        (DatabaseError, "42501", False),  # not permitted
        (IntegrityError, "23505", False),
        (DataError, "22001", False),
    ],
)
def test_postgresql_says_by_its_state_whether_waiting_helps(name, kind, state, expected):
    assert is_transient(caused(kind("no"), **{name: state})) is expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OperationalError(1290, "The MariaDB server is running with the --read-only option so it cannot"), True),
        (InternalError(1290, "The MySQL server is running with the --super-read-only option so it cannot"), True),
        (OperationalError(1290, "The MariaDB server is running with the --secure-file-priv option"), False),
        (InternalError(1792, "Cannot execute statement in a READ ONLY transaction"), True),
        (OperationalError(1836, "Running in read-only mode"), True),
        (OperationalError(2003, "Can't connect"), True),
        (OperationalError(2006, "Server has gone away"), True),
        (OperationalError(2013, "Lost connection"), True),
        (OperationalError(1053, "Server shutdown in progress"), True),
        (OperationalError(1927, "Connection was killed"), True),
        (OperationalError(4031, "The client was disconnected by the server because of inactivity"), True),
        (OperationalError(1213, "Deadlock found"), True),
        (OperationalError(1205, "Lock wait timeout exceeded"), True),
        (OperationalError(1040, "Too many connections"), True),
        (OperationalError(1203, "User already has more than max_user_connections"), True),
        (OperationalError(4151, "Access denied, this account is locked"), True),
        (OperationalError(1021, "Disk full"), True),
        (InterfaceError(0, ""), True),
        (OperationalError(1045, "Access denied"), False),
        (OperationalError(1054, "Unknown column"), False),
        (IntegrityError(1062, "Duplicate entry"), False),
        (DataError(1406, "Data too long"), False),
    ],
)
@pytest.mark.parametrize("codes", [{}, {"sqlstate": "HY000"}], ids=["mysqlclient", "PyMySQL"])
def test_mysql_and_mariadb_say_so_by_a_number(error, expected, codes):
    assert is_transient(caused(error, **codes)) is expected


def test_sqlite_says_so_by_its_result_code(tmp_path):
    holder, other = (sqlite3.connect(tmp_path / "db.sqlite3", timeout=0) for _ in range(2))

    def error_of(sql):
        with pytest.raises(sqlite3.Error) as told:
            other.execute(sql)
        return caused(OperationalError("no"), sqlite_errorcode=told.value.sqlite_errorcode)

    holder.execute("CREATE TABLE t (a)")
    holder.execute("BEGIN IMMEDIATE")
    assert is_transient(error_of("INSERT INTO t VALUES (1)"))
    holder.rollback()
    other.execute("PRAGMA query_only = 1")
    assert is_transient(error_of("INSERT INTO t VALUES (1)"))
    assert not is_transient(error_of("SELECT nothing FROM t"))
    for connection in (holder, other):
        connection.close()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ReadOnlySqlTransaction", True),
        ("AdminShutdown", True),
        ("CannotConnectNow", True),
        ("OperationalError", True),  # nobody answered
        ("UndefinedTable", False),
        ("InvalidPassword", False),
    ],
)
def test_an_error_of_psycopg_means_the_same_where_django_is_not_asked(name, expected):
    errors = pytest.importorskip("psycopg.errors")
    assert is_transient(getattr(errors, name)("no")) is expected


@pytest.mark.parametrize(
    ("name", "number", "expected"),
    [
        ("OperationalError", 2003, True),
        ("OperationalError", 1290, True),
        ("InternalError", 1792, True),
        ("InterfaceError", 0, True),
        ("OperationalError", 1054, False),
        ("OperationalError", 1045, False),
        ("ProgrammingError", 1146, False),
    ],
)
def test_so_does_one_of_pymysql(name, number, expected):
    errors = pytest.importorskip("pymysql.err")
    assert is_transient(getattr(errors, name)(number, "the --read-only option, or another")) is expected


def test_the_number_of_a_socket_is_none_of_a_database():
    error = InterfaceError("closed")
    error.__cause__ = OSError(1045, "no number of MySQL's")
    assert is_transient(error)


@pytest.mark.parametrize("error", [OperationalError("server closed the connection"), InterfaceError("closed")])
def test_without_a_code_it_is_the_connection_and_a_new_one_may_do(error):
    assert is_transient(error)


@pytest.mark.parametrize("error", [DataError("no"), IntegrityError("no"), ValueError("no"), TimeoutError()])
def test_what_is_no_trouble_of_the_database_is_left_to_others(error):
    assert not is_transient(error)


class Connection:
    def __init__(self, alias):
        self.alias = alias
        self.in_atomic_block = False
        self.closed = 0

    def close(self):
        self.closed += 1


@pytest.fixture
def database():
    """A function that returns a connection to a further database."""
    made = []

    def connect(alias):
        made.append(alias)
        connections.databases[alias] = {**connections.databases["default"]}
        connections[alias] = Connection(alias)
        return connections[alias]

    yield connect
    for alias in made:
        del connections[alias]
        del connections.databases[alias]


@pytest.fixture
def ledger(database):
    return database("ledger")


def failing(*errors):
    """A function that raises these in turn, and then is done."""
    left = list(errors)

    def act():
        if left:
            raise left.pop(0)
        return "done"

    return act


READ_ONLY = caused(InternalError("cannot execute UPDATE in a read-only transaction"), sqlstate="25006")


def test_it_is_tried_again_over_new_connections_for_nobody_knows_whose_broke(ledger, database, naps):
    lms = database("lms")
    assert outlast(failing(READ_ONLY, OperationalError("gone")), 60) == "done"
    assert len(naps) == 2
    assert ledger.closed == lms.closed == 2


def meant_by(error, cls, **more):
    """One of ours that stands for the error, without its words."""
    try:
        raise error
    except Exception as caught:  # noqa: BLE001 - whichever it was given
        try:
            raise cls(caught if cls is TaskFailed else "no", **more) from None
        except Exception as ours:  # noqa: BLE001 - it is what was asked for
            return ours


def test_what_ours_stands_for_decides(ledger):
    gone = OperationalError("gone")
    assert is_transient(meant_by(gone, HostError, is_temporary=True))
    assert is_transient(meant_by(gone, TaskFailed))
    assert is_transient(meant_by(meant_by(gone, HostError, is_temporary=True), TaskFailed))
    assert not is_transient(meant_by(gone, HostError)), "the host says that it stays so"
    assert not is_transient(meant_by(ConnectionError(), HostError, is_temporary=True)), "it is no database"
    assert not is_transient(meant_by(DataError("too long"), TaskFailed))


def test_the_database_of_a_host_is_waited_for_a_little(ledger, naps):
    away = meant_by(OperationalError("gone"), HostError, is_temporary=True)
    assert outlast(failing(away, away), 60) == "done"
    with pytest.raises(HostError):
        outlast(failing(*[away] * 100), 600)
    assert sum(naps) == 2 + MAX_SECONDS_FOR_HOST


def test_patience_ends_and_the_last_error_is_told(ledger, naps):
    with pytest.raises(InternalError):
        outlast(failing(*[READ_ONLY] * 100), 4)
    assert sum(naps) == 4


def test_what_waiting_cannot_mend_is_told_at_once(ledger, naps):
    with pytest.raises(DataError):
        outlast(failing(DataError("too long")), 60)
    assert naps == []


def test_within_a_transaction_nothing_can_be_tried_again(ledger, naps):
    ledger.in_atomic_block = True
    with pytest.raises(InternalError):
        outlast(failing(READ_ONLY), 60)
    assert naps == []
    assert ledger.closed == 0
