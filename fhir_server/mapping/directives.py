"""The `$` directives of maps, one function each. See docs/decisions/0002-mapping-language.md."""

from collections.abc import Mapping
from typing import Any

from fhir_server.fhir.shapes import JsonObject
from fhir_server.mapping.coded import (
    code_directive,
    coding_directive,
    concept_directive,
    money_directive,
    quantity_directive,
)
from fhir_server.mapping.conditions import compile_condition
from fhir_server.mapping.ids import id_of, id_prefix, namespace_of
from fhir_server.mapping.nodes import Node
from fhir_server.mapping.record import Unverified, key_text
from fhir_server.mapping.script import Script
from fhir_server.mapping.sentences import base64_directive, text_directive
from fhir_server.mapping.template import (
    Context,
    Directive,
    FieldAccess,
    check_options,
    compile_template,
    fields_of,
    key_atom,
)


def _reference(entry: JsonObject, context: Context) -> Node:
    check_options(entry, context, "entity", "key", "display", "identifier")
    type_, entity = entry["$ref"], entry.get("entity")
    if not entity or not entry.get("key"):
        context.broken("a reference has an entity and a key")
    keys = [context.field(name) for name in entry["key"]]
    others = compile_template({k: _shown(k, entry[k]) for k in ("identifier", "display") if k in entry}, context)
    prefix = id_prefix(namespace_of(context.base, context.source), entity)

    def write(script: Script) -> str:
        parts, more = [key_atom(script, k) for k in keys], others.atom(script)
        key = " + '\\x1f' + ".join(parts)
        name = script.variable()
        with script.block(f"if {' and '.join(parts)}:"):
            id_ = f"{script.constant(id_of)}({script.constant(prefix)} + ({key}).encode())"
            script.line(f"{name} = {{'reference': {f'{type_}/'!r} + {id_}}}")
            if others.is_dynamic or others.constant:
                script.line(f"if {more} is not None: {name}.update({more})")
        with script.block("else:"):
            script.line(f"{name} = {{'type': {type_!r}, **{more}}} if {more} else None")
        return name

    fields = others.fields | {a.path for a in keys}
    is_of_line = others.is_of_line or any(k.is_of_line for k in keys)
    return Node(write, fields, is_of_line=is_of_line)


def _shown(option: str, value: Any) -> Any:
    """`display` names a field, and shows a code by its words; `identifier` is a template."""
    return {"$text": f"{{{value}}}"} if option == "display" else value


def _self(entry: JsonObject, context: Context) -> Node:
    check_options(entry, context)
    name = entry["$self"]
    if name not in context.resources:
        context.broken(f"no resource of this map is called {name!r}")
    return Node(lambda script: script.set(f"{script.constant(_references)}({script.references[name]})"), is_list=True)


def _references(found: str | list[str] | None) -> JsonObject | list[JsonObject] | None:
    """A Reference to a resource; of several to each, if they are more than one."""
    if type(found) is list:
        made = [{"reference": reference} for reference in found]
        return (made if len(made) > 1 else made[0]) if made else None
    return None if found is None else {"reference": found}


def _id(entry: JsonObject, context: Context) -> Node:
    access = context.field(entry["$id"])
    system, unverified = context.text(entry.get("system") or ""), f"{context.source_base}/unverified-id"
    if not system:
        context.broken("an identifier has a system")
    others = {k: v for k, v in entry.items() if k not in {"$id", "system"}}
    rest = compile_template(others, context) if others else None

    def write(script: Script) -> str:
        value = access.atom(script)
        more = f"**({rest.atom(script)} or {{}}), " if rest else ""
        text = f"{script.constant(key_text)}({value})"
        chosen = f"{unverified!r} if type({value}) is {script.constant(Unverified)} else {system!r}"
        return script.set(f"None if {value} is None else {{{more}'system': {chosen}, 'value': {text}}}")

    is_of_line = access.is_of_line or (rest is not None and rest.is_of_line)
    return Node(write, frozenset((access.path,)), is_of_line=is_of_line)


def _first(entry: JsonObject, context: Context) -> Node:
    check_options(entry, context)
    nodes = [compile_template(v, context.at(f"[{n}]")) for n, v in enumerate(entry["$first"])]

    def write(script: Script) -> str:
        name = script.set("None")
        _write_first(script, name, nodes)
        return name

    return Node(
        write,
        fields_of(nodes),
        items=tuple(nodes),
        is_sure=any(node.is_sure for node in nodes),
        is_list=any(node.is_list for node in nodes),
        is_of_line=any(node.is_of_line for node in nodes),
    )


def _write_first(script: Script, name: str, nodes: list[Node]) -> None:
    """Writes alternatives, each below the one before it, until one is never empty."""
    if not nodes:
        return
    script.line(f"{name} = {nodes[0].atom(script)}")
    if len(nodes) > 1 and not nodes[0].is_sure:
        with script.block(f"if {name} is None:"):
            _write_first(script, name, nodes[1:])


def _each(entry: JsonObject, context: Context) -> Node:
    check_options(entry, context, "do")
    access = context.field(entry["$each"])
    if not access.field.repeats:
        context.broken(f"{access.path} does not repeat")
    inner = compile_template(entry.get("do"), in_line(context.at("do"), access))

    def write(script: Script) -> str:
        lines, name, line = access.atom(script), script.set("[]"), script.variable()
        with script.loop(f"for {line} in {lines} or ():", line):
            made = inner.atom(script)
            script.line(f"if {made} is not None: {name}.append({made})")
        script.line(f"{name} = {name} or None")
        return name

    fields = inner.fields | {access.path}
    return Node(write, fields, items=(inner,), is_list=True, is_of_line=access.is_of_line)


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
    check_options(entry, context, "then", "else")
    condition = compile_condition(entry["$when"], context)
    then = compile_template(entry.get("then"), context.at("then"))
    otherwise = compile_template(entry.get("else"), context.at("else"))
    both = (then, otherwise)

    def write(script: Script) -> str:
        test = condition.write(script)
        name = script.variable()
        with script.block(f"if {test}:"):
            script.line(f"{name} = {then.atom(script)}")
        with script.block("else:"):
            script.line(f"{name} = {otherwise.atom(script)}")
        return name

    return Node(
        write,
        condition.fields | fields_of(both),
        items=both,
        is_sure=then.is_sure and otherwise.is_sure,
        is_list=then.is_list or otherwise.is_list,
        is_of_line=condition.is_of_line or then.is_of_line or otherwise.is_of_line,
    )


DIRECTIVES: Mapping[str, Directive] = {
    "$text": text_directive,
    "$base64": base64_directive,
    "$code": code_directive,
    "$coding": coding_directive,
    "$concept": concept_directive,
    "$quantity": quantity_directive,
    "$money": money_directive,
    "$ref": _reference,
    "$self": _self,
    "$id": _id,
    "$first": _first,
    "$each": _each,
    "$when": _when,
}
