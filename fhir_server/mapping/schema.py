"""Form -> JSON Schema 2020-12, and the schema's findings in our words. https://json-schema.org/draft/2020-12/schema."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from fhir_server.errors import Issue
from fhir_server.fhir.shapes import JsonObject
from fhir_server.mapping.acceptance import Accepts, accepts_of
from fhir_server.mapping.findings import at_place, shown
from fhir_server.mapping.form import Field, Form
from fhir_server.mapping.record import FormRecord, plain

_DATE = r"^[0-9]{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?)?$"
_DATETIME = _DATE[:-1] + r"(T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2}))?$"


@dataclass(frozen=True, slots=True)
class RecordSchema:
    """A form's JSON Schema, compiled once; checks records and tells what is wrong with the source's own words."""

    form: Form
    schema: JsonObject
    iter_errors: Callable[[JsonObject], Iterable[ValidationError]]
    accepts: Accepts

    def check(self, record: FormRecord) -> list[Issue]:
        """Returns the findings of a record, one for each broken keyword, in the order of the fields."""
        if self.accepts(record.values):
            return []
        return [self._finding(e, record) for e in self.iter_errors(plain(record.values))]

    def _finding(self, error: ValidationError, record: FormRecord) -> Issue:
        place = _place(error)
        known = self.form.find(place)
        label = known.label if known else place
        expected = shown(plain_limit(error.validator_value))
        found = "" if error.validator in _ABOUT_OBJECTS else shown(plain_limit(error.instance))
        key = _KEYS.get(str(error.validator), "mapping.schema")
        unit = known.unit if known else ""
        return at_place(key, record, place, label=label, expected=expected, value=found, unit=unit)


_ABOUT_OBJECTS = frozenset({"required", "additionalProperties", "maxItems"})
_KEYS = {
    "required": "mapping.required",
    "minimum": "mapping.too-small",
    "maximum": "mapping.too-large",
    "maxItems": "mapping.too-many",
    "enum": "mapping.code-refused",
    "type": "mapping.wrong-type",
    "pattern": "mapping.wrong-shape",
    "additionalProperties": "mapping.unknown-field",
}


def compile_schema(form: Form) -> RecordSchema:
    """Returns the form's schema ready to check records."""
    schema = schema_of(form)
    Draft202012Validator.check_schema(schema)
    return RecordSchema(form, schema, Draft202012Validator(schema).iter_errors, accepts_of(form.fields))


def schema_of(form: Form) -> JsonObject:
    """Returns the JSON Schema of a form's records, titles in Chinese."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": form.title,
        "description": form.specification,
    } | _object(form.fields.values())


def _object(fields: Iterable[Field]) -> JsonObject:
    listed = list(fields)
    required = [f.name for f in listed if f.required]
    found: JsonObject = {"type": "object", "properties": {f.name: _property(f) for f in listed}}
    return found | {"additionalProperties": False} | ({"required": required} if required else {})


def _property(of: Field) -> JsonObject:
    item = _object(of.fields.values()) if of.type == "group" else _SCHEMAS[of.type](of)
    if of.repeats:
        item = {"type": "array", "items": item} | ({"maxItems": of.max} if of.max else {})
    return {"title": of.label} | item


def _number(of: Field, type_: str) -> JsonObject:
    limits = {"minimum": of.low, "maximum": of.high}
    return {"type": type_} | {k: v for k, v in limits.items() if v is not None}


def _code(of: Field) -> JsonObject:
    return {"type": "string"} | ({"enum": list(of.options)} if of.unknown == "reject" else {})


def _string(of: Field) -> JsonObject:
    return {"type": "string"} | ({"pattern": f"^(?:{of.pattern})$"} if of.pattern else {})


def _fixed(schema: JsonObject) -> Callable[[Field], JsonObject]:
    return lambda _: dict(schema)


_SCHEMAS: dict[str, Callable[[Field], JsonObject]] = {
    "string": _string,
    "integer": lambda of: _number(of, "integer"),
    "decimal": lambda of: _number(of, "number"),
    "date": _fixed({"type": "string", "pattern": _DATE}),
    "datetime": _fixed({"type": "string", "pattern": _DATETIME}),
    "boolean": _fixed({"type": "boolean"}),
    "code": _code,
}


def _place(error: ValidationError) -> str:
    """The field's place as records count: `drugs[1].name`; for a missing or unknown field, that one."""
    place = ""
    for step in error.absolute_path:
        place += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if place else str(step)
    if error.validator == "required":
        missing = error.message.split("'")[1]
        return f"{place}.{missing}" if place else str(missing)
    return place


def plain_limit(value: Any) -> Any:
    """Returns a list as its items joined for people, anything else as it is."""
    return "、".join(map(str, value)) if isinstance(value, list | tuple) else value
