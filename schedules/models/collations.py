"""How a database compares ids and organizations: byte for byte, or not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db import connections, models, router

from schedules.models.fields import ExactCharField

#: Texts that differ, and that a collation may take for the same; with what it does then.
_PAIRS = {
    "upper case for lower": ("a", "A"),
    "an accent for none": ("a", "á"),
    "a blank at the end for none": ("a", "a "),
}

_COLUMNS = {
    "mysql": "SELECT table_name, column_name, collation_name, character_set_name FROM information_schema.columns "
    "WHERE table_schema = DATABASE()",
    "postgresql": "SELECT table_name, column_name, collation_name, udt_name FROM information_schema.columns "
    "WHERE table_schema = ANY (current_schemas(false))",
}


def folding_columns(alias: str) -> Iterator[tuple[type[models.Model], str, str, str]]:
    """(model, column, its collation, what it takes for the same) of the app's columns that are not byte for byte."""
    connection = connections[alias]
    with connection.cursor() as cursor:
        collations = _collations(connection, cursor)
        for model in apps.get_app_config("schedules").get_models():
            for field in model._meta.local_fields:
                place = (model._meta.db_table, field.column)
                if (
                    isinstance(field, ExactCharField)
                    and place in collations
                    and router.allow_migrate_model(alias, model)
                ):
                    literal, collation = collations[place]
                    for folds, pair in _PAIRS.items():
                        cursor.execute(f"SELECT {literal} = {literal}", pair)
                        if cursor.fetchone()[0]:
                            yield model, str(field.column), collation, folds
                            break


def _collations(connection: Any, cursor: Any) -> dict[tuple[str, str], tuple[str, str]]:
    """(table, column) -> a literal that is compared as the column is, with a place for its text; and the collation.

    Columns that are compared as the database does of itself are left out where that is byte for byte.
    """
    quote = connection.ops.quote_name
    if connection.vendor == "sqlite":
        tables = {model._meta.db_table for model in apps.get_app_config("schedules").get_models()}
        found = connection.introspection
        return {
            (table, column.name): (f"%s COLLATE {column.collation}", column.collation)
            for table in tables & set(found.table_names(cursor))
            for column in found.get_table_description(cursor, table)
            if column.collation
        }
    if connection.vendor not in _COLUMNS:
        return {}
    cursor.execute(_COLUMNS[connection.vendor])
    rows = cursor.fetchall()
    if connection.vendor == "mysql":
        return {
            (table, column): (f"CONVERT(%s USING {charset}) COLLATE {collation}", collation)
            for table, column, collation, charset in rows
            if collation
        }
    return {
        (table, column): ("%s::citext", type_name)
        if type_name == "citext"
        else (f"%s COLLATE {quote(collation)}", collation)
        for table, column, collation, type_name in rows
        if collation or type_name == "citext"
    }
