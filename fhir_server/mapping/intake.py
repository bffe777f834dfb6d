"""Form records given as plain JSON -> typed records. See docs/decisions/0002-mapping-language.md."""

from typing import Any

from fhir_server.errors import Issue, Severity
from fhir_server.fhir.shapes import JsonObject
from fhir_server.mapping.codecs.codes import CodeReader
from fhir_server.mapping.findings import at_place
from fhir_server.mapping.form import Field, Form
from fhir_server.mapping.record import Code, FormRecord, RowRef


def read_plain(form: Form, values: JsonObject, rows: tuple[RowRef, ...] = ()) -> tuple[FormRecord, list[Issue]]:
    """Returns the record with its codes typed, empty values left out, and a finding for each code without option.

    Fields that the form does not have are kept, for its schema to refuse.
    """
    typed = {name: _typed(form.fields.get(name), value) for name, value in values.items() if value not in (None, "")}
    record = FormRecord(typed, rows)
    return record, [_unmapped(record, place, known, code) for place, known, code in _without_option(form, typed)]


def _typed(known: Field | None, value: Any) -> Any:
    if known is None:
        return value
    if isinstance(value, list):
        return [_typed(known, item) for item in value]
    if known.type == "group" and isinstance(value, dict):
        return {n: _typed(known.fields.get(n), v) for n, v in value.items() if v not in (None, "")}
    return CodeReader(known).read(value) if known.type == "code" and isinstance(value, str) else value


def _without_option(form: Form, typed: JsonObject) -> list[tuple[str, Field, Code]]:
    found: list[tuple[str, Field, Code]] = []
    for name, value in typed.items():
        known = form.fields.get(name)
        items = value if isinstance(value, list) else [value]
        for number, item in enumerate(items, 1):
            if known and isinstance(item, dict):
                inner = {f"{name}[{number}].{n}": (known.fields.get(n), v) for n, v in item.items()}
                found += [(p, f, v) for p, (f, v) in inner.items() if f and isinstance(v, Code) and v.code is None]
            elif known and isinstance(item, Code) and item.code is None:
                found.append((name, known, item))
    return found


def _unmapped(record: FormRecord, place: str, known: Field, code: Code) -> Issue:
    is_kept = known.unknown == "keep"
    key = "mapping.code-unmapped" if is_kept else "mapping.code-refused"
    severity = Severity.WARNING if is_kept else Severity.ERROR
    return at_place(key, record, place, severity=severity, label=known.label, code=code.source, value=code.source)
