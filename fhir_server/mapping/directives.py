"""The `$` directives of maps, one function each. See docs/decisions/0002-mapping-language.md."""

import base64
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from fhir_server.fhir.shapes import JsonObject
from fhir_server.mapping.conditions import compile_condition
from fhir_server.mapping.record import Code, Unverified, plain
from fhir_server.mapping.tables import CodeTable, TablePlace, build_table, display_of
from fhir_server.mapping.template import (
    Context,
    Directive,
    FieldAccess,
    Node,
    Scope,
    compile_template,
    field_node,
    fields_of,
)

_REMEMBERED = 1024  # codes of one field; what they become is shared between resources, as constants are
UCUM = "http://unitsofmeasure.org"
_BLANK = re.compile(r"\{(\.?[A-Za-z]\w*|\.)\}")


def _options(entry: JsonObject, context: Context, *allowed: str) -> None:
    for key in entry:
        if not key.startswith("$") and key not in allowed:
            context.broken(f"unknown option {key!r}; known: {', '.join(allowed) or 'none'}")


def key_text(value: Any) -> str:
    """Returns a value as a part of a key, empty when there is none."""
    if type(value) is str:
        return value
    return "" if value is None else str(plain(value))


def _over(access: FieldAccess, make: Callable[[Any], Any]) -> Node:
    """Applies `make` to the field's value, or to each of its values."""
    get = access.get

    def build(scope: Scope) -> Any:
        value = get(scope)
        if isinstance(value, list):
            return [made for v in value if (made := make(v)) is not None] or None
        return None if value is None else make(value)

    return Node(build, frozenset((access.path,)))


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


def _code(entry: JsonObject, context: Context) -> Node:
    _options(entry, context, "table")
    access = context.field(entry["$code"])
    if "table" not in entry:
        return field_node(access)
    return _over(access, _table(entry, access, context).text_of)


def _coding(entry: JsonObject, context: Context) -> Node:
    _options(entry, context, "table")
    access = context.field(entry["$coding"])
    table = _table(entry, access, context)
    return _over(access, lru_cache(maxsize=_REMEMBERED)(lambda value: table.codings_of(value)[0]))


def _concept(entry: JsonObject, context: Context) -> Node:
    _options(entry, context, "table")
    access = context.field(entry["$concept"])
    table = _table(entry, access, context)

    @lru_cache(maxsize=_REMEMBERED)
    def make(value: Any) -> JsonObject:
        found: JsonObject = {"coding": table.codings_of(value)}
        text = display_of(value) if isinstance(value, Code) else found["coding"][0].get("display")
        return found | {"text": text} if text else found

    return _over(access, make)


def _quantity(entry: JsonObject, context: Context) -> Node:
    _options(entry, context, "unit", "table")
    access = context.field(entry["$quantity"])
    unit, ucum = access.field.unit, access.field.ucum
    constant = {k: v for k, v in {"unit": unit, "system": UCUM if ucum else "", "code": ucum}.items() if v}
    if "unit" not in entry:
        return _over(access, lambda value: {"value": value} | constant)
    named = context.field(entry["unit"])
    table = _table(entry, named, context).texts if "table" in entry else {}

    def build(scope: Scope) -> JsonObject | None:
        value, text = access.get(scope), key_text(named.get(scope))
        if value is None:
            return None
        code = table.get(text)
        coded = {"system": UCUM, "code": code} if code else {}
        return {"value": value} | ({"unit": text} if text else {}) | coded

    return Node(build, frozenset((access.path, named.path)))


def _money(entry: JsonObject, context: Context) -> Node:
    _options(entry, context)
    return _over(context.field(entry["$money"]), lambda value: {"value": value, "currency": "CNY"})


def _text(entry: JsonObject, context: Context) -> Node:
    _options(entry, context)
    return _sentences(entry["$text"], context)


def _base64(entry: JsonObject, context: Context) -> Node:
    _options(entry, context)
    text = _sentences(entry["$base64"], context)

    def build(scope: Scope) -> str | None:
        made = text.build(scope)
        return None if made is None else base64.b64encode(made.encode()).decode()

    return Node(build, text.fields)


def _sentences(raw: Any, context: Context) -> Node:
    nodes = [_sentence(s, context) for s in (raw if isinstance(raw, list) else [raw])]
    if len(nodes) == 1:
        return nodes[0]

    def build(scope: Scope) -> str | None:
        return "\n".join(s for node in nodes if (s := node.build(scope)) is not None) or None

    return Node(build, fields_of(nodes))


def _sentence(raw: str, context: Context) -> Node:
    pieces = _BLANK.split(raw.replace("{B}", context.base).replace("{S}", context.source_base))
    texts, accesses = pieces[::2], [context.field(name) for name in pieces[1::2]]

    def build(scope: Scope) -> str | None:
        words = [_words(access.get(scope)) for access in accesses]
        if "" in words:
            return None
        return texts[0] + "".join(w + t for w, t in zip(words, texts[1:], strict=True))

    return Node(build, frozenset(a.path for a in accesses))


def _words(value: Any) -> str:
    if isinstance(value, list):
        return "、".join(display_of(v) for v in value)
    return "" if value is None else display_of(plain(value) if isinstance(value, Unverified) else value)


def _reference(entry: JsonObject, context: Context) -> Node:
    _options(entry, context, "entity", "key", "display", "identifier")
    type_, entity = entry["$ref"], entry.get("entity")
    if not entity or not entry.get("key"):
        context.broken("a reference has an entity and a key")
    keys = [context.field(name) for name in entry["key"]]
    others = compile_template({k: _shown(k, entry[k]) for k in ("identifier", "display") if k in entry}, context)

    def build(scope: Scope) -> JsonObject | None:
        key = [key_text(k.get(scope)) for k in keys]
        found = others.build(scope) or {}
        if all(key):
            return {"reference": f"{type_}/{scope.ids.of(entity, key)}"} | found
        return {"type": type_} | found if found else None

    return Node(build, others.fields | {a.path for a in keys})


def _shown(option: str, value: Any) -> Any:
    """`display` names a field, and shows a code by its words; `identifier` is a template."""
    return {"$text": f"{{{value}}}"} if option == "display" else value


def _self(entry: JsonObject, context: Context) -> Node:
    _options(entry, context)
    name = entry["$self"]
    if name not in context.resources:
        context.broken(f"no resource of this map is called {name!r}")

    def build(scope: Scope) -> Any:
        found = [{"reference": reference} for reference in scope.references.get(name, ())]
        return (found if len(found) > 1 else found[0]) if found else None

    return Node(build)


def _id(entry: JsonObject, context: Context) -> Node:
    access = context.field(entry["$id"])
    system, unverified = context.text(entry.get("system") or ""), f"{context.source_base}/unverified-id"
    if not system:
        context.broken("an identifier has a system")
    others = {k: v for k, v in entry.items() if k not in {"$id", "system"}}
    rest = compile_template(others, context).build if others else None

    def build(scope: Scope) -> JsonObject | None:
        value = access.get(scope)
        if value is None:
            return None
        chosen = unverified if isinstance(value, Unverified) else system
        more = (rest(scope) or {}) if rest else {}
        return more | {"system": chosen, "value": key_text(value)}

    return Node(build, frozenset((access.path,)))


def _first(entry: JsonObject, context: Context) -> Node:
    _options(entry, context)
    nodes = [compile_template(v, context.at(f"[{n}]")) for n, v in enumerate(entry["$first"])]
    builders = [node.build for node in nodes]

    def build(scope: Scope) -> Any:
        return next((made for make in builders if (made := make(scope)) is not None), None)

    return Node(build, fields_of(nodes), items=tuple(nodes))


def _each(entry: JsonObject, context: Context) -> Node:
    _options(entry, context, "do")
    access = context.field(entry["$each"])
    if not access.field.repeats:
        context.broken(f"{access.path} does not repeat")
    inner = compile_template(entry.get("do"), in_line(context.at("do"), access))

    def build(scope: Scope) -> list[Any] | None:
        lines = access.get(scope) or ()
        made = [inner.build(scope.at(line)) for line in lines]
        return [m for m in made if m is not None] or None

    return Node(build, inner.fields | {access.path}, items=(inner,))


def in_line(context: Context, access: FieldAccess) -> Context:
    """Returns the context inside an `each` over a field."""
    return Context(
        context.file,
        context.place,
        context.form,
        context.base,
        context.source,
        context.tables,
        context.directives,
        context.resources,
        access.field,
    )


def _when(entry: JsonObject, context: Context) -> Node:
    _options(entry, context, "then", "else")
    condition = compile_condition(entry["$when"], context)
    then = compile_template(entry.get("then"), context.at("then"))
    otherwise = compile_template(entry.get("else"), context.at("else"))

    def build(scope: Scope) -> Any:
        return then.build(scope) if condition.test(scope) else otherwise.build(scope)

    return Node(build, condition.fields | then.fields | otherwise.fields, items=(then, otherwise))


DIRECTIVES: Mapping[str, Directive] = {
    "$text": _text,
    "$base64": _base64,
    "$code": _code,
    "$coding": _coding,
    "$concept": _concept,
    "$quantity": _quantity,
    "$money": _money,
    "$ref": _reference,
    "$self": _self,
    "$id": _id,
    "$first": _first,
    "$each": _each,
    "$when": _when,
}
