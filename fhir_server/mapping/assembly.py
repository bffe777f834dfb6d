"""A map's resources -> one Python function that makes them all, compiled when the first record comes.

See docs/decisions/0002-mapping-language.md, How a map runs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple, TypeAlias

from fhir_server.fhir.shapes import JsonObject
from fhir_server.mapping.ids import SEPARATOR, id_of, id_prefix
from fhir_server.mapping.nodes import Member, write_object
from fhir_server.mapping.resource_plan import Made, ResourcePlan
from fhir_server.mapping.script import Script
from fhir_server.mapping.template import FieldAccess, key_atom


class Assembled(NamedTuple):
    """What a record gives: bundle entries with what they are, collected resources, references to the entries, and what lacks a key.

    `unkeyed` are places in the map and lines (0: the record itself); `entries` is None where there would be resources
    if they did not all lack a key.
    """

    entries: list[JsonObject] | None
    made: list[Made]
    collected: list[tuple[str, JsonObject]]
    references: list[str]
    unkeyed: list[tuple[int, int]]


Make: TypeAlias = Callable[[JsonObject, date], Assembled]
"""Makes the resources of a record's values on a day."""


@dataclass(frozen=True, slots=True)
class Assembly:
    """What the resources of one map have in common."""

    resources: Sequence[ResourcePlan]
    namespace: bytes
    meta_source: str


@dataclass(frozen=True, slots=True)
class _Instance:
    """The variables of a resource: its id, its reference, and its key as an identifier says it."""

    id: str
    reference: str
    value: str


def made_later(assembly: Assembly) -> Make:
    """Returns the function that makes a record's resources; its source is written and compiled at its first call."""
    known: list[Make] = []

    def make(values: JsonObject, today: date) -> Assembled:
        if not known:
            known.append(compile_assembly(assembly))
        return known[0](values, today)

    return make


def compile_assembly(assembly: Assembly, *, is_sharing: bool = True) -> Make:
    """Returns the function that makes a record's resources.

    It is written twice: what is wanted more than once the first time is worked out once a record the second time;
    without `is_sharing`, whenever it is wanted.
    """
    trial = Script()
    _write_assembly(trial, assembly)
    script = Script(frozenset(key for key, count in trial.uses.items() if count > 1 and is_sharing))
    result = _write_assembly(script, assembly)
    make: Make = script.compiled("make", "values, today", result)
    return make


def _write_assembly(script: Script, assembly: Assembly) -> str:
    """Writes keys and ids, then bodies, and returns the result."""
    script.fields += [" get = values.get", " entries, made, collected, references, unkeyed = [], [], [], [], []"]
    with script.apart(script.fields):
        instances = [_write_ids(script, assembly, number) for number in range(len(assembly.resources))]
        names = " or ".join(script.references[r.name] for r in assembly.resources)
        script.line(f"if unkeyed and not ({names}): return {script.constant(Assembled)}(None, [], [], [], unkeyed)")
    for resource, instance in zip(assembly.resources, instances, strict=True):
        _write_resource(script, assembly, resource, instance)
    return f"{script.constant(Assembled)}(entries, made, collected, references, unkeyed)"


def _write_ids(script: Script, assembly: Assembly, number: int) -> _Instance:
    resource = assembly.resources[number]
    prefix = script.constant(id_prefix(assembly.namespace, resource.entity))
    if resource.each is not None:
        return _write_line_ids(script, resource, number, prefix)
    key = _record_key(script, resource)
    content = script.early(f"b'' if {key} is None else {SEPARATOR!r}.join({key}).encode()")
    value = script.early(f"'' if {key} is None else '#'.join({key}).replace('##', '#')")
    id_, reference = script.variable(), script.variable()
    script.references[resource.name] = reference
    script.line(f"{reference} = None")
    with script.block(f"if {resource.when.write(script)}:"):
        with script.block(f"if {key} is None:"):
            script.line(f"unkeyed.append(({number}, 0))")
        with script.block("else:"):
            script.line(f"{id_} = {script.constant(id_of)}({prefix} + {content})")
            script.line(f"{reference} = {f'{resource.type}/'!r} + {id_}")
    return _Instance(id_, reference, value)


def _record_key(script: Script, resource: ResourcePlan) -> str:
    """The parts of a resource's key, else those of its fallback, else None."""
    expression = "None"
    for accesses in (resource.fallback, resource.key):
        parts = [key_atom(script, access) for access in accesses]
        if parts:
            expression = f"({', '.join(parts)},) if {' and '.join(parts)} else {expression}"
    return script.early(expression)


def _write_line_ids(script: Script, resource: ResourcePlan, number: int, prefix: str) -> _Instance:
    """Writes the list of (number, line, id, key) of the lines that become resources, and that of their references."""
    found, seen, references = script.set("[]"), script.set("{}"), script.set("[]")
    at, line, key, count, id_ = (script.variable() for _ in range(5))
    lines = resource.each.atom(script) if resource.each else ""
    with (
        script.loop(f"for {at}, {line} in enumerate({lines} or (), 1):", line),
        script.block(f"if {resource.when.write(script)}:"),
    ):
        script.line(f"{key} = {_line_key(script, resource)}")
        with script.block(f"if not {key}:"):
            script.line(f"unkeyed.append(({number}, {at}))")
        with script.block("else:"):
            script.line(f"{count} = {seen}[{key}] = {seen}.get({key}, 0) + 1")
            script.line(f"if {count} > 1: {key} = (*{key}, f'#{{{count}}}')")
            script.line(f"{id_} = {script.constant(id_of)}({prefix} + {SEPARATOR!r}.join({key}).encode())")
            script.line(f"{found}.append(({at}, {line}, {id_}, '#'.join({key}).replace('##', '#')))")
            script.line(f"{references}.append({f'{resource.type}/'!r} + {id_})")
    script.references[resource.name] = references
    return _Instance(found, references, "")


def _line_key(script: Script, resource: ResourcePlan) -> str:
    """The parts of a line's key; else the record's fallback key and what there is of the line's own; else nothing."""
    parts = [key_atom(script, access) for access in resource.key]
    fallback = [key_atom(script, access) for access in resource.fallback]
    own = [key_atom(script, access) for access in resource.key if _is_of(resource, access)]
    other = "()"
    if fallback:
        other = f"tuple([x for x in ({', '.join([*fallback, *own])},) if x]) if {' and '.join(fallback)} else ()"
    return f"({', '.join(parts)},) if {' and '.join(parts)} else {other}"


def _is_of(resource: ResourcePlan, access: FieldAccess) -> bool:
    return resource.each is not None and access.path.startswith(resource.each.path)


def _write_resource(script: Script, assembly: Assembly, resource: ResourcePlan, instance: _Instance) -> None:
    if resource.each is None:
        with script.block(f"if {instance.reference} is not None:"):
            _write_body(script, assembly, resource, instance)
            _write_entry(script, resource, instance, script.constant(Made(resource.name, 0)))
        return
    at, line, id_, value = (script.variable() for _ in range(4))
    with script.loop(f"for {at}, {line}, {id_}, {value} in {instance.id}:", line):
        one = _Instance(id_, script.set(f"{f'{resource.type}/'!r} + {id_}"), value)
        _write_body(script, assembly, resource, one)
        _write_entry(script, resource, one, f"{script.constant(Made)}({resource.name!r}, {at})")


def _write_body(script: Script, assembly: Assembly, resource: ResourcePlan, one: _Instance) -> None:
    """Writes `made_one`: the resource with what the engine adds to every one, or None when its body is empty."""
    own = f"{{'system': {resource.identifier_system!r}, 'value': {one.value}}}" if resource.identifier_system else ""
    head = f"'resourceType': {resource.type!r}, 'id': {one.id}, "
    children = resource.body.children
    if children is None:
        body = resource.body.atom(script)
        given = f"{{{head}}}, {assembly.meta_source!r}, {own or None}, {body}"
        script.line(f"made_one = None if {body} is None else {script.constant(_whole)}({given})")
        return
    members = {key: Member(key, node, node.atom(script)) for key, node in children.items()}
    head += f"'meta': {_meta(script, assembly, members.get('meta'))}, "
    head += f"'identifier': {_identifiers(script, own, members.get('identifier'))}, " if own else ""
    rest = [m for m in members.values() if m.key != "meta" and (m.key != "identifier" or not own)]
    write_object(script, "made_one", rest, head=head, dynamic=[m for m in members.values() if m.node.is_dynamic])


def _meta(script: Script, assembly: Assembly, member: Member | None) -> str:
    source = {"source": assembly.meta_source}
    if member is None or not member.node.is_dynamic:
        return script.constant(source | ((member.node.constant if member else None) or {}))
    return f"{{**{script.constant(source)}, **({member.atom} or {{}})}}"


def _identifiers(script: Script, own: str, member: Member | None) -> str:
    if member is None or member.atom == "None":
        return f"[{own}]"
    return f"{script.constant(_with_own)}({own}, {member.atom})"


def _with_own(own: JsonObject, others: list[JsonObject] | None) -> list[JsonObject]:
    """The engine's identifier, then the body's others."""
    return [own, *[other for other in others or () if other != own]]


def _whole(head: JsonObject, source: str, own: JsonObject | None, body: JsonObject) -> JsonObject:
    """A resource whose body is chosen as a whole."""
    rest = dict(body)
    found = head | {"meta": {"source": source} | rest.pop("meta", {})}
    if own is not None:
        found["identifier"] = _with_own(own, rest.pop("identifier", None))
    return found | rest


def _write_entry(script: Script, resource: ResourcePlan, one: _Instance, made: str) -> None:
    with script.block("if made_one is not None:"):
        if resource.collect:
            own = f"{script.constant(_own_arrays)}(made_one, {resource.collect!r})"
            script.line(f"collected.append(({resource.name!r}, {own}))")
            return
        script.line(f"references.append({one.reference})")
        request = f"{{'method': 'PUT', 'url': {one.reference}}}"
        script.line(
            f"entries.append({{'fullUrl': 'urn:uuid:' + {one.id}, 'resource': made_one, 'request': {request}}})"
        )
        script.line(f"made.append({made})")


def _own_arrays(resource: JsonObject, names: Sequence[str]) -> JsonObject:
    """The resource with arrays of its own, for those of other records to be added."""
    return {key: [*value] if key in names else value for key, value in resource.items()}
