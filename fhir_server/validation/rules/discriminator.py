"""What tells the slices of an element apart, https://hl7.org/fhir/R4/profiling.html#discriminator.

A discriminator's path may pass through slices of its own (`code.coding.code` where `coding` is sliced again), through
patterns above it and through the profiles of types: all of these say what the value there has to be.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from fhir_server.validation.report import has_error
from fhir_server.validation.rules.fixed import is_match, is_same
from fhir_server.validation.rules.path import Steps, Walk, build_walk, parse_steps, type_at
from fhir_server.validation.rules.reference import target_type
from fhir_server.validation.site import Build, Scope
from fhir_server.validation.tree import Node, build_tree

Match: TypeAlias = Callable[[Any, Scope], bool]
Test: TypeAlias = Callable[[Any], bool]

@dataclass(frozen=True, slots=True)
class Place:
    """Where a slice is being told apart: its node, the type of its values, and the compiler."""

    node: Node
    type: str
    build: Build


@dataclass(frozen=True, slots=True)
class Literal:
    """Part of a pattern above the discriminator's place: what a value there has to match."""

    value: Any


def build_match(kind: str, path: str, place: Place) -> Match | None:
    """Returns the function that tells whether a value belongs to the slice, or None when nothing can tell it."""
    steps = parse_steps(path)
    if steps is None:
        return None
    if kind in ("value", "pattern"):
        return _by_value(steps, place)
    if kind == "exists":
        return _by_existence(steps, place)
    if kind == "type":
        return _by_type(steps, place)
    return _by_profile(steps, place) if kind == "profile" else None


def _walk_to(steps: Steps, place: Place) -> Walk:
    return build_walk(place.type, steps, place.build.definitions.model)


def _by_value(steps: Steps, place: Place) -> Match | None:
    walk = _walk_to(steps, place)
    ends = _ends(steps, place)
    if ends and all(isinstance(end, Node) and end.element.max == 0 for end in ends):
        return lambda value, scope: not walk(value, scope)
    tests = [test for end in ends if (test := _test(end, place.build))]
    return _any_passes(steps, walk, tests) if tests else None


def _any_passes(steps: Steps, walk: Walk, tests: Sequence[Test]) -> Match:
    if len(tests) == 1:
        test = tests[0]
    else:
        def test(value: Any) -> bool:
            return any(one(value) for one in tests)

    def match(value: Any, scope: Scope) -> bool:
        return any(test(item) for item in walk(value, scope))

    return match


def _by_existence(steps: Steps, place: Place) -> Match | None:
    walk = _walk_to(steps, place)
    limits = [(end.element.min, end.element.max) for end in _ends(steps, place) if isinstance(end, Node)]
    if not limits:
        return None
    if any(least > 0 for least, _ in limits):
        return lambda value, scope: bool(walk(value, scope))
    if any(most == 0 for _, most in limits):
        return lambda value, scope: not walk(value, scope)
    return None


def _by_type(steps: Steps, place: Place) -> Match | None:
    if steps and steps[-1][0] == "resolve":
        return _by_target(steps[:-1], place)
    nodes = [end for end in _ends(steps, place) if isinstance(end, Node)]
    types = frozenset(type_.code for node in nodes for type_ in node.element.types)
    if not types:
        return None
    if types & place.build.definitions.model.resources:
        walk = _walk_to(steps, place)
        return lambda value, scope: any(_resource_type(one) in types for one in walk(value, scope))
    return _by_choice_type(steps, types, place)


def _by_choice_type(steps: Steps, types: frozenset[str], place: Place) -> Match | None:
    if not steps:
        return None
    owner_type = type_at(place.type, steps[:-1], place.build.definitions.model)
    walk = _walk_to(steps[:-1], place)
    if owner_type is None:
        return None
    properties = place.build.definitions.model.properties.get(owner_type, {})
    keys = [key for key, p in properties.items() if (p.choice == steps[-1][0] or key == steps[-1][0]) and p.type in types]
    return lambda value, scope: any(key in owner for owner in walk(value, scope) if isinstance(owner, dict) for key in keys)


def _by_target(steps: Steps, place: Place) -> Match | None:
    walk = _walk_to(steps, place)
    nodes = [end for end in _ends(steps, place) if isinstance(end, Node)]
    urls = [url for node in nodes for type_ in node.element.types for url in type_.targets]
    structures = [place.build.definitions.structure(url) for url in urls]
    types = frozenset(structure.type for structure in structures if structure)
    if not types:
        return None
    return lambda value, scope: any(target_type(one, scope) in types for one in walk(value, scope) if isinstance(one, dict))


def _by_profile(steps: Steps, place: Place) -> Match | None:
    walk = _walk_to(steps, place)
    resolved = bool(steps) and steps[-1][0] == "resolve"
    nodes = [end for end in _ends(steps[:-1] if resolved else steps, place) if isinstance(end, Node)]
    types = [type_ for node in nodes for type_ in node.element.types]
    urls = [url for type_ in types for url in (type_.targets if resolved else type_.profiles)]
    checks = [check for url in urls if (check := place.build.profile_check(url))]
    if not checks:
        return None

    def match(value: Any, scope: Scope) -> bool:
        found = walk(value, scope)
        return any(not has_error(check(one, scope)) for one in found for check in checks)

    return match


def _resource_type(value: Any) -> Any:
    return value.get("resourceType") if isinstance(value, dict) else None


def _ends(steps: Steps, place: Place) -> list[Node | Literal]:
    """Returns everything that says what stands at the end of the path: nodes, and parts of patterns above."""
    current: list[Node | Literal] = [place.node]
    for name, argument in steps:
        current = [after for one in current for after in _next(one, name, argument, place.build)]
    return current


def _next(one: Node | Literal, name: str, argument: str, build: Build) -> Iterator[Node | Literal]:
    if name in ("ofType", "resolve"):
        yield one
    elif isinstance(one, Literal):
        yield from _parts(one.value, name)
    elif name == "extension":
        yield from _extension_slices(one, argument)
    else:
        for fact in (one.element.fixed, one.element.pattern):
            yield from _parts(fact[1] if fact else None, name)
        for node in (one, *_type_profiles(one, build)):
            child = node.child(name)
            if child is not None:
                yield from child.variants()


def _parts(value: Any, name: str) -> Iterator[Literal]:
    for one in value if isinstance(value, list) else [value]:
        part = one.get(name) if isinstance(one, dict) else None
        for item in part if isinstance(part, list) else [part]:
            if item is not None:
                yield Literal(item)


def _extension_slices(node: Node, url: str) -> Iterator[Node]:
    extensions = node.children.get("extension")
    for one in extensions.slices.values() if extensions else ():
        if any(url in type_.profiles for type_ in one.element.types):
            yield one


def _type_profiles(node: Node, build: Build) -> Iterator[Node]:
    for type_ in node.element.types:
        for url in type_.profiles:
            structure = build.definitions.structure(url)
            if structure is not None and structure.derivation == "constraint":
                yield build_tree(structure.elements)


def _test(end: Node | Literal, build: Build) -> Test | None:
    """Returns what a value at this end has to be, or None when the end says nothing."""
    if isinstance(end, Literal):
        return lambda value: is_match(value, end.value)
    element = end.element
    if element.fixed:
        fixed = element.fixed[1]
        return lambda value: is_same(value, fixed)
    pattern = element.pattern[1] if element.pattern else _pattern_below(end)
    if pattern:
        return lambda value: is_match(value, pattern)
    return _bound(end, build)


def _pattern_below(node: Node) -> dict[str, Any]:
    """Returns what the children's fixed values and patterns amount to as one pattern."""
    pattern: dict[str, Any] = {}
    for name, child in node.children.items():
        needed = [one for one in child.slices.values() if one.element.min > 0]
        below = [one for one in map(_wanted, (child, *needed)) if one]
        if below:
            pattern[name] = below[0] if child.element.max == 1 or isinstance(below[0], list) else below
    return pattern


def _wanted(node: Node) -> Any:
    fact = node.element.fixed or node.element.pattern
    return fact[1] if fact else _pattern_below(node)


def _bound(node: Node, build: Build) -> Test | None:
    binding = node.element.binding
    if binding is None or binding.strength != "required" or binding.value_set is None:
        return None
    codes = build.terminology.expand(binding.value_set)
    if codes is None:
        return None
    members = frozenset(code for _, code in codes)
    return lambda value: _is_in(value, members, codes)


def _is_in(value: Any, members: frozenset[str], codes: frozenset[tuple[str, str]]) -> bool:
    if isinstance(value, str):
        return value in members
    codings = value.get("coding", [value]) if isinstance(value, dict) else []
    pairs = [(c.get("system"), c.get("code")) for c in codings if isinstance(c, dict)] if isinstance(codings, list) else []
    return any(pair in codes for pair in pairs if all(isinstance(part, str) for part in pair))
