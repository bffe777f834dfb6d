"""A quick yes for records that break nothing, which most are; the JSON Schema says what is wrong with the others.

See https://json-schema.org/draft/2020-12/schema.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from fhir_server.mapping.form import Field
from fhir_server.mapping.record import Code, Unverified
from fhir_server.mapping.script import Script

Accepts = Callable[[Any], bool]
_DATE = re.compile(r"[0-9]{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?)?")
_MISSING = object()


def accepts_of(fields: Mapping[str, Field]) -> Accepts:
    """Returns a test that is true only for values that the schema of these fields finds nothing wrong with.

    It may be false for others that are right as well: then the schema is asked. Its source is written and compiled at
    its first call; costs about a tenth of a microsecond a field.
    """
    known: list[Accepts] = []

    def accepts(values: Any) -> bool:
        if not known:
            known.append(_compiled(fields))
        return known[0](values)

    return accepts


def _compiled(fields: Mapping[str, Field]) -> Accepts:
    script = Script()
    names, missing = script.constant(frozenset(fields)), script.constant(_MISSING)
    script.line(f"if type(values) is not dict or not {names}.issuperset(values): return False")
    script.line("get = values.get")
    for name, field in fields.items():
        script.line(f"v = get({name!r}, {missing})")
        wrong = _several(field, script) if field.repeats else _wrong(field, script)
        is_wrong = f"v is {missing} or {wrong}" if field.required else f"v is not {missing} and ({wrong})"
        script.line(f"if {is_wrong}: return False")
    accepts: Accepts = script.compiled("accepts", "values", "True")
    return accepts


def _several(field: Field, script: Script) -> str:
    length = f" or len(v) > {field.max}" if field.max is not None else ""
    return f"type(v) is not list{length} or any([{_wrong(field, script)} for v in v])"


def _wrong(field: Field, script: Script) -> str:
    """Python that is false only for a value `v` that is surely right."""
    if field.type == "group":
        return f"not {script.constant(accepts_of(field.fields))}(v)"
    if field.type == "code":
        options = f" or v.code not in {script.constant(field.options)}" if field.unknown == "reject" else ""
        return f"type(v) is not {script.constant(Code)}{options}"
    if field.type in {"integer", "decimal"}:
        return _no_number(field, script)
    if field.type == "boolean":
        return "type(v) is not bool"
    pattern = re.compile(field.pattern) if field.type == "string" else _DATE
    if not pattern.pattern:
        return f"type(v) is not str and type(v) is not {script.constant(Unverified)}"
    return f"type(v) is not str or {script.constant(pattern)}.fullmatch(v) is None"


def _no_number(field: Field, script: Script) -> str:
    is_other = "type(v) is not int"
    if field.type == "decimal":
        is_other = f"({is_other} and type(v) is not {script.constant(Decimal)})"
    low, high = (None if limit is None else script.constant(limit) for limit in (field.low, field.high))
    return is_other + (f" or not v >= {low}" if low else "") + (f" or not v <= {high}" if high else "")
