"""Form records -> rows of a dialect, the way back through the same file. See docs/decisions/0002-mapping-language.md."""

from decimal import Decimal
from typing import Any

from fhir_server.fhir.shapes import JsonObject
from fhir_server.mapping.dialect import Column, Dialect, Table, Target

Row = dict[str, str]


def to_source(dialect: Dialect, values: JsonObject) -> dict[str, list[Row]]:
    """Returns plain form values as rows of the dialect's tables, {table: [{column: text}]}; an empty cell is "".

    A record goes to the first record table whose constants agree with it; lines of a group to its line table, or to
    numbered columns. Codes are written as the dialect's first code for them.
    """
    table = next((t for t in dialect.tables if not t.is_part and _agrees(t, values)), None)
    found: dict[str, list[Row]] = {}
    if table is None:
        return found
    found[table.name] = [_row(table, values, values)]
    for lines in (t for t in dialect.tables if t.group and t.parent):
        rows = [_row(lines, line, values) for line in values.get(lines.group) or ()]
        found.setdefault(lines.name, []).extend(rows)
    return found


def _agrees(table: Table, values: JsonObject) -> bool:
    return all(str(values.get(column.name, text)) == text for column, text in table.constants)


def _row(table: Table, values: JsonObject, record: JsonObject) -> Row:
    row = {column.name: _cell(column, values) for column in table.written}
    for name, field in table.parent.items():
        row[name] = _text(record.get(field))
    return row


def _cell(column: Column, values: JsonObject) -> str:
    texts = [_target_text(column, target, values) for target in column.targets]
    filled = [text for text in texts if text]
    if column.otherwise is not None and not (all(texts) if column.write else filled):
        return _target_text(column, column.otherwise, values)
    if column.write:
        return column.write.format(*texts) if all(texts) else ""
    return column.split.join(texts) if column.split and filled else next(iter(filled), "")


def _target_text(column: Column, target: Target, values: JsonObject) -> str:
    owner: Any = values
    if target.line:
        lines = values.get(target.group) or []
        owner = lines[target.line - 1] if len(lines) >= target.line else {}
    value = owner.get(target.field.name)
    items = value if isinstance(value, list) else [value]
    return column.separator.join(_item_text(column, target, item) for item in items if item is not None)


def _item_text(column: Column, target: Target, value: Any) -> str:
    if target.codes is not None:
        return target.codes.write(str(value))
    if column.factor is not None and isinstance(value, int | Decimal):
        return format((Decimal(value) / column.factor).normalize(), "f")
    return _text(value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    return format(value, "f") if isinstance(value, Decimal) else str(value)
