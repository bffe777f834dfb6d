"""Objects and arrays: known properties, no nulls, nothing empty, choices once, https://hl7.org/fhir/R4/json.html."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from fhir_server.validation.checks import all_of, quick_first
from fhir_server.validation.report import Finding, Findings, at, found, joined, listing
from fhir_server.validation.rules.json_types import wrong_json
from fhir_server.validation.site import Check, Scope
from fhir_server.validation.sure import ALWAYS, NEVER, Source, described, described_apart, settling_of

FEW = 5
"""Kinds of properties that are told apart one after the other; more are looked up."""


class Field(NamedTuple):
    """What checks a property, and its segment in paths."""

    check: Check
    segment: str


@dataclass(frozen=True, slots=True)
class Needed:
    """An element that must be there: any of these JSON keys; `place` names it in the sentence."""

    keys: frozenset[str]
    place: str


@dataclass(frozen=True, slots=True)
class Shape:
    """What an object of one type looks like; `rules` look at the object as a whole."""

    type: str
    fields: Mapping[str, Field]
    needed: Sequence[Needed]
    rules: Sequence[Check]
    is_resource: bool = False


def build_object(shape: Shape, quicken: Callable[[Check], Check]) -> Check:
    """Returns the check of an object: its properties, to which `quicken` is applied, then what concerns it as a whole."""
    whole = _build_whole(shape, quicken)
    fields = quicken(_build_fields(shape))

    def check(value: Any, scope: Scope) -> Findings | None:
        if type(value) is not dict:
            return wrong_json(value, "object")
        result, more = fields(value, scope), whole(value, scope)
        return result if more is None else joined(result, more)

    def emit(source: Source, value: str) -> None:
        source.check(fields, value)
        source.check(whole, value)

    return described_apart(check, emit)


def _build_fields(shape: Shape) -> Check:
    """Returns the check of an object's properties: it loops over those present, not over those possible."""
    check_of = {key: field.check for key, field in shape.fields.items()}.get

    def check(value: Any, scope: Scope) -> Findings | None:
        result: Findings | None = None
        for key, item in value.items():
            item_check = check_of(key)
            more = item_check(item, scope) if item_check is not None else [_unknown(key, shape)]
            if more is not None:
                result = joined(result, _placed(more, key, value, shape))
        return result

    return described(check, lambda source, value: _emit_fields(source, value, shape))


def _emit_fields(source: Source, value: str, shape: Shape) -> None:
    """Writes a loop over the properties, with one branch for each kind of them and a table for many kinds.

    Where the properties are known, they are looked at one after the other.
    """
    known = source.known_keys(value)
    if known is not None:
        _emit_known(source, value, shape, known)
        return
    source.refuse_if(f"type({value}) is not dict")
    key, item = source.variable("k"), source.variable("x")
    with source.block(f"for {key}, {item} in {value}.items():"):
        kinds: dict[tuple[str, ...], list[str]] = {}
        for name, field in shape.fields.items():
            kinds.setdefault(source.apart(field.check, item), []).append(name)
        written = _written(kinds)
        for number, (lines, names) in enumerate(written.items()):
            source.line(f"{'el' if number else ''}if {_is_one_of(key, names)}:")
            source.lines.extend(lines)
        rest = [name for lines, names in kinds.items() if lines not in written for name in names]
        _emit_rest(source, key, item, {name: shape.fields[name].check for name in rest})


def _emit_known(source: Source, value: str, shape: Shape, known: Collection[str]) -> None:
    settled: set[str] = set()
    for rule in shape.rules:
        settling = settling_of(rule, known)
        if settling is not None:
            settled |= settling.keys
            with source.block(f"if not ({settling.condition(source, value)}):"):
                _emit_members(source, value, shape, settling.keys & set(known))
                source.refuse_if(f"{source.constant(rule)}({value}, s) is not None")
            source.settle(rule)
    _emit_members(source, value, shape, [name for name in known if name not in settled])


def _emit_members(source: Source, value: str, shape: Shape, names: Collection[str]) -> None:
    for name in sorted(names):
        field = shape.fields.get(name)
        if field is None:
            source.refuse_if(ALWAYS)
        else:
            source.check(field.check, source.member(value, name))


def _written(kinds: Mapping[tuple[str, ...], list[str]]) -> Mapping[tuple[str, ...], list[str]]:
    """Returns the kinds of properties that get a branch, in its order: of many only some that many properties are of."""
    ordered = sorted(kinds.items(), key=lambda kind: (kind[1][0][0] == "_", -len(kind[1])))
    if len(ordered) <= FEW:
        return dict(ordered)
    return dict([(lines, names) for lines, names in ordered if len(lines) == 1 and len(names) > 1][:2])


def _is_one_of(key: str, names: Sequence[str]) -> str:
    return f"{key} == {names[0]!r}" if len(names) == 1 else f"{key} in {{{', '.join(map(repr, names))}}}"


def _emit_rest(source: Source, key: str, item: str, checks: Mapping[str, Check]) -> None:
    if not checks:
        source.line("else: return False")
        return
    is_first = source.lines[-1].endswith(".items():")
    with source.block("if True:" if is_first else "else:"):
        sure = source.variable("f")
        source.line(f"{sure} = {source.table(checks)}({key})")
        source.refuse_if(f"{sure} is None or not {sure}({item}, s)")


def _build_whole(shape: Shape, quicken: Callable[[Check], Check]) -> Check:
    """Returns the check of what concerns the object as a whole: elements that must be there, emptiness, rules."""
    presence = _build_presence(shape)
    return all_of(quick_first([presence, *shape.rules], quicken)) or presence


def _build_presence(shape: Shape) -> Check:
    needed, may_be_bare = tuple((n.keys, n.place) for n in shape.needed), shape.is_resource

    def check_presence(value: Any, _: Scope) -> Findings | None:
        result: Findings | None = None
        for keys, place in needed:
            if keys.isdisjoint(value):
                result = joined(result, found("validation.cardinality-min", element=place, min=1, found=0))
        if len(value) < 2 and not may_be_bare and (not value or "id" in value):
            result = joined(result, found("validation.empty-object"))
        return result

    return described(check_presence, lambda source, value: _emit_presence(source, value, shape))


def _emit_presence(source: Source, value: str, shape: Shape) -> None:
    for one in shape.needed:
        source.refuse_if(source.has_none_of(one.keys, value))
    known = source.known_keys(value)
    if known is not None and not shape.is_resource:
        source.refuse_if(str(len(known) < 2 and (not known or "id" in known)))
    elif not shape.is_resource:
        source.refuse_if(f"len({value}) < 2 and (not {value} or 'id' in {value})")


def _unknown(key: str, shape: Shape) -> Finding:
    return Finding("validation.unknown-element", {"name": key, "type": shape.type})


def _placed(findings: Findings, key: str, owner: Mapping[str, Any], shape: Shape) -> Findings | None:
    if key not in shape.fields:
        return findings  # an unknown property has no path of its own
    # A null in an array of primitives is legal where its sibling array has something at the same index.
    sibling = owner.get("_" + key)
    if isinstance(sibling, list):
        findings = [f for f in findings if not _is_excused_null(f.key, f.path, sibling)]
    return at(findings, shape.fields[key].segment) or None


def _is_excused_null(key: str, path: Sequence[str | int], sibling: Sequence[Any]) -> bool:
    if key != "validation.null" or len(path) != 1 or not isinstance(path[0], int):
        return False
    return path[0] < len(sibling) and bool(sibling[path[0]])


def build_choice(name: str, keys: frozenset[str], others: int = 0) -> Check:
    """Returns the check that only one type of a choice element is used; `keys` include the siblings of primitives.

    `others` is how many other properties every object of the type has.
    """

    def check(value: Any, _: Scope) -> Findings | None:
        if keys.isdisjoint(value):
            return None
        present = keys.intersection(value)
        if len(present) < 2:
            return None
        used = {key.removeprefix("_") for key in present}
        return found("validation.choice-many", element=f"{name}[x]", found=listing(used)) if len(used) > 1 else None

    def emit(source: Source, value: str) -> None:
        present = source.known_keys(value)
        if present is None:
            many = f"len({value}) > {others + 1} and len({source.constant(keys)}.intersection({value})) > 1"
        else:
            many = str(len(keys.intersection(present)) > 1)
        if many != NEVER:
            source.refuse_if(f"{many} and {source.constant(check)}({value}, s) is not None")

    return described(check, emit)


def array_of(item_check: Check) -> Check:
    """Returns the check of an array, item by item."""

    def check(value: Any, scope: Scope) -> Findings | None:
        if type(value) is not list:
            return wrong_json(value, "array")
        if not value:
            return found("validation.empty-array")
        result: Findings | None = None
        for index, item in enumerate(value):
            more = item_check(item, scope)
            if more is not None:
                result = joined(result, at(more, index))
        return result

    def emit(source: Source, value: str) -> None:
        source.refuse_if(f"type({value}) is not list or not {value}")
        item = source.variable("y")
        with source.block(f"for {item} in {value}:"):
            source.check(item_check, item)

    return described(check, emit)


def or_null(check: Check) -> Check:
    """Returns the check that also accepts null, as an item of an array of primitive siblings may be."""

    def emit(source: Source, value: str) -> None:
        with source.block(f"if {value} is not None:"):
            source.check(check, value)

    return described(lambda value, scope: None if value is None else check(value, scope), emit)
