"""Fields of the app's own."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.lookups import IContains


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


class ExactCharField(models.CharField):
    """Ids and organizations: text that is compared byte for byte, in SQL as in Python, on every database.

    MariaDB and MySQL take upper case for lower, accents for none and blanks at the end for nothing, unless a column's
    collation says otherwise; PostgreSQL and SQLite compare so of themselves.
    """

    def db_parameters(self, connection: Any) -> dict[str, Any]:
        parameters: dict[str, Any] = super().db_parameters(connection)
        if connection.vendor == "mysql":  # in both, `utf8mb4_bin` would leave blanks at the end aside
            is_mariadb = connection.mysql_is_mariadb
            parameters["collation"] = "utf8mb4_nopad_bin" if is_mariadb else "utf8mb4_0900_bin"
        return parameters


@ExactCharField.register_lookup
class _FoldingIContains(IContains):
    """What staff search by does not ask for upper and lower case: not on MariaDB and MySQL, either."""

    def process_lhs(self, compiler: Any, connection: Any, lhs: Any = None) -> tuple[str, Any]:
        sql, params = super().process_lhs(compiler, connection, lhs)
        if connection.vendor == "mysql":  # there the collation decides, and the column's is byte for byte
            sql = f"CONVERT({sql} USING utf8mb4) COLLATE utf8mb4_general_ci"
        return sql, params
