"""The directives of codes and amounts. See docs/decisions/0002-mapping-language.md and https://hl7.org/fhir/R4/datatypes.html#CodeableConcept."""

from collections.abc import Callable
from typing import Any

from fhir_server.fhir.shapes import JsonObject
from fhir_server.mapping.nodes import Node
from fhir_server.mapping.record import Code, key_text
from fhir_server.mapping.script import Script
from fhir_server.mapping.tables import CodeTable, TablePlace, build_table, display_of
from fhir_server.mapping.template import Context, FieldAccess, check_options, field_node

_REMEMBERED = 1024  # codes of one field; what they become is shared between resources, as constants are
UCUM = "http://unitsofmeasure.org"
_Expression = Callable[[Script, str], str]


def _over(access: FieldAccess, expression: _Expression, *, is_sure: bool = True) -> Node:
    """Applies an expression of a value's atom to the field's value, or to each of its values; `is_sure`: it is never None."""

    def write(script: Script) -> str:
        value = access.atom(script)
        if not access.is_list:
            return script.set(f"None if {value} is None else {expression(script, value)}")
        each = f"[{expression(script, 'x')} for x in {value} or ()]"
        return script.set(f"{each} or None" if is_sure else f"[y for y in {each} if y is not None] or None")

    return Node(write, frozenset((access.path,)), is_list=access.is_list, is_of_line=access.is_of_line)


def _remembered(make: Callable[[Any], Any]) -> _Expression:
    """Calls a function of a value that never gives an empty result; the last thousand values are looked up."""
    known: dict[Any, Any] = {}

    def fresh(value: Any) -> Any:
        if len(known) >= _REMEMBERED:
            known.clear()
        found = known[value] = make(value)
        return found

    return lambda script, value: f"({script.constant(known)}.get({value}) or {script.constant(fresh)}({value}))"


def _table(entry: JsonObject, access: FieldAccess, context: Context) -> CodeTable:
    own = f"{context.source_base}/code/{context.form.name}-{access.path.replace('.', '-')}"
    if "table" not in entry:
        return _option_table(access, context, own)
    table = context.tables(entry["table"], context)
    return CodeTable(table.codings, table.texts, table.default, table.default_text, own)


def _option_table(access: FieldAccess, context: Context, own: str) -> CodeTable:
    if not access.field.options:
        context.broken(f"{access.path} is no code field; name a table")
    system = f"{{B}}/CodeSystem/{context.form.name}-{access.path.replace('.', '-')}"
    raw = {o.code: {"system": system, "code": o.code, "display": o.display} for o in access.field.options.values()}
    return build_table(raw, TablePlace(context.file, context.place, context.base, context.source), own_system=own)


def code_directive(entry: JsonObject, context: Context) -> Node:
    """Returns `$code`: a field's code, through a table.

    Raises:
        BrokenMapping: an unknown option, field or table.
    """
    check_options(entry, context, "table")
    access = context.field(entry["$code"])
    if "table" not in entry:
        return field_node(access)
    text_of = _table(entry, access, context).text_of
    return _over(access, lambda script, value: f"{script.constant(text_of)}({value})", is_sure=False)


def coding_directive(entry: JsonObject, context: Context) -> Node:
    """Returns `$coding`: a field's code as a Coding.

    Raises:
        BrokenMapping: an unknown option, field or table.
    """
    check_options(entry, context, "table")
    access = context.field(entry["$coding"])
    table = _table(entry, access, context)
    return _over(access, _remembered(lambda value: table.codings_of(value)[0]))


def concept_directive(entry: JsonObject, context: Context) -> Node:
    """Returns `$concept`: a field's code as a CodeableConcept.

    Raises:
        BrokenMapping: an unknown option, field or table.
    """
    check_options(entry, context, "table")
    access = context.field(entry["$concept"])
    table = _table(entry, access, context)

    def make(value: Any) -> JsonObject:
        found: JsonObject = {"coding": table.codings_of(value)}
        text = display_of(value) if isinstance(value, Code) else found["coding"][0].get("display")
        return found | {"text": text} if text else found

    return _over(access, _remembered(make))


def quantity_directive(entry: JsonObject, context: Context) -> Node:
    """Returns `$quantity`: a number in its unit.

    Raises:
        BrokenMapping: an unknown option, field or table.
    """
    check_options(entry, context, "unit", "table")
    access = context.field(entry["$quantity"])
    unit, ucum = access.field.unit, access.field.ucum
    constant = {k: v for k, v in {"unit": unit, "system": UCUM if ucum else "", "code": ucum}.items() if v}
    if "unit" not in entry:
        members = "".join(f", {k!r}: {v!r}" for k, v in constant.items())
        return _over(access, lambda _, value: f"{{'value': {value}{members}}}")
    named = context.field(entry["unit"])
    table = _table(entry, named, context).texts if "table" in entry else {}

    def in_unit(value: Any, unit: Any) -> JsonObject:
        text = key_text(unit)
        code = table.get(text)
        return {"value": value} | ({"unit": text} if text else {}) | ({"system": UCUM, "code": code} if code else {})

    def write(script: Script) -> str:
        value, unit = access.atom(script), named.atom(script)
        return script.set(f"None if {value} is None else {script.constant(in_unit)}({value}, {unit})")

    is_of_line = access.is_of_line or named.is_of_line
    return Node(write, frozenset((access.path, named.path)), is_of_line=is_of_line)


def money_directive(entry: JsonObject, context: Context) -> Node:
    """Returns `$money`: a number of CNY.

    Raises:
        BrokenMapping: an unknown option, field or table.
    """
    check_options(entry, context)
    return _over(context.field(entry["$money"]), lambda _, value: f"{{'value': {value}, 'currency': 'CNY'}}")
