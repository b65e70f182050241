"""Many rows in one statement: a list of dicts as a table named `given`, on PostgreSQL and SQLite."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Field, JSONField, Model, QuerySet
from django.db.models.expressions import DatabaseDefault


def given(model: type[Model], columns: list[str], rows: list[dict[str, Any]]) -> tuple[str, str]:
    """A derived table `given` with `columns` (names of `model`'s database columns) and its one parameter."""
    fields = _fields(model)
    payload = [{name: _value(fields[name], row[name]) for name in columns if row[name] is not None} for row in rows]
    return _table(connection.vendor, model, tuple(columns)), json.dumps(payload, default=str)


@cache
def _fields(model: type[Model]) -> dict[str, Field[Any, Any]]:
    return {str(field.column): field for field in model._meta.concrete_fields}


@cache
def _table(vendor: str, model: type[Model], columns: tuple[str, ...]) -> str:
    return _TABLES[vendor](columns, _fields(model))


def _value(field: Field[Any, Any], value: Any) -> Any:
    """`value` as the database stores it, or as JSON where it is JSON."""
    if isinstance(field, JSONField):
        return value
    prepared = field.get_db_prep_value(value, connection, prepared=False)
    return prepared.isoformat() if hasattr(prepared, "isoformat") else prepared


def _postgresql(columns: Sequence[str], fields: dict[str, Field[Any, Any]]) -> str:
    typed = ", ".join(f'"{name}" {fields[name].rel_db_type(connection)}' for name in columns)
    return f"jsonb_to_recordset(%s::jsonb) AS given({typed})"


def _sqlite(columns: Sequence[str], fields: dict[str, Field[Any, Any]]) -> str:
    arrows = {name: "->" if isinstance(fields[name], JSONField) else "->>" for name in columns}
    picked = ", ".join(f"value {arrows[name]} '$.{name}' AS \"{name}\"" for name in columns)
    return f"(SELECT {picked} FROM json_each(%s)) AS given"  # noqa: S608 - names of our own columns


_TABLES = {"postgresql": _postgresql, "sqlite": _sqlite}
_RETURNING = {"postgresql": "target.", "sqlite": ""}
"""SQLite returns columns of the changed table only, and knows them without its alias."""


def update(
    model: type[Model],
    match: list[str],
    rows: list[dict[str, Any]],
    condition: str = "TRUE",
    expressions: dict[str, str] | None = None,
) -> list[Any]:
    """Write `rows` in one UPDATE and return the primary keys of those that really changed.

    A row of the table is written if it agrees in the columns `match` and fulfils `condition`. A column
    gets its given value, or what `expressions` says for it. Both are SQL on the aliases `target` and
    `given`, constants of the program. All rows have the same columns.
    """
    if not rows:
        return []
    columns = list(rows[0])
    table, parameter = given(model, columns, rows)
    key = model._meta.pk
    assert key is not None
    values = {name: f'given."{name}"' for name in columns if name not in match} | (expressions or {})
    sets = ", ".join(f'"{name}" = {value}' for name, value in values.items())
    where = " AND ".join(f'target."{name}" = given."{name}"' for name in match)
    statement = (
        f'UPDATE "{model._meta.db_table}" AS target SET {sets} FROM {table} '  # noqa: S608 - names of our own columns
        f'WHERE {where} AND {condition} RETURNING {_RETURNING[connection.vendor]}"{key.column}"'
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [parameter])
        return [key.to_python(value) for (value,) in cursor.fetchall()]


def insert(rows: Sequence[Model]) -> None:
    """Store new rows of one model in one INSERT, however many; those that exist already stay as they are.

    A column that no row sets is left to the database's default.
    """
    if not rows:
        return
    model = type(rows[0])
    fields = [field for field in model._meta.concrete_fields if _is_set(field, rows)]
    columns = [str(field.column) for field in fields]
    values = [{str(field.column): getattr(row, field.attname) for field in fields} for row in rows]
    table, parameter = given(model, columns, values)
    names = ", ".join(f'"{name}"' for name in columns)
    # "WHERE TRUE": else SQLite takes ON CONFLICT for a join's condition.
    statement = (
        f'INSERT INTO "{model._meta.db_table}" ({names}) SELECT {names} FROM {table} '  # noqa: S608 - as above
        "WHERE TRUE ON CONFLICT DO NOTHING"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [parameter])


def _is_set(field: Field[Any, Any], rows: Sequence[Model]) -> bool:
    """Whether any row's value is other than what the database puts there by itself."""
    name = field.attname
    if field.null and not field.has_db_default():
        return any(row.__dict__.get(name) is not None for row in rows)
    if field.has_db_default() and field.has_default():  # they are the same, wherever there are both
        default = field.get_default()
        return any(row.__dict__.get(name) != default for row in rows)
    return any(_is_given(field, getattr(row, name)) for row in rows)


def _is_given(field: Field[Any, Any], value: Any) -> bool:
    return not isinstance(value, DatabaseDefault) and not (field.primary_key and value is None)


Rows = TypeVar("Rows", bound=QuerySet[Any])


def claimed(rows: Rows) -> Rows:
    """`rows` locked until the commit, without those that another dispatcher holds. SQLite has one writer anyway."""
    if not connection.features.has_select_for_update_skip_locked:
        return rows
    return rows.select_for_update(skip_locked=True, of=("self",))
