"""What tells the slices of an element apart, https://hl7.org/fhir/R4/profiling.html#discriminator.

A discriminator's path may pass through slices of its own (`code.coding.code` where `coding` is sliced again), through
patterns above it and through the profiles of types: all of these say what the value there has to be.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fhir_server.validation.report import has_error
from fhir_server.validation.rules.binding import pairs_in
from fhir_server.validation.rules.fixed import build_matching, is_same
from fhir_server.validation.rules.objects import text_of
from fhir_server.validation.rules.path import Match, Steps, TextIs, build_some, parse_steps, type_at
from fhir_server.validation.rules.resolution import target_type
from fhir_server.validation.site import Build, Scope, is_profile
from fhir_server.validation.sure import sure_of
from fhir_server.validation.tree import Node, build_tree


@dataclass(frozen=True, slots=True)
class Place:
    """Where a slice is told apart: its node, the type of its values, and the compiler."""

    node: Node
    type: str
    build: Build

    def some(self, steps: Steps, test: Match) -> Match:
        """Returns the function that tells whether any value at the path passes the test."""
        return build_some(self.type, steps, self.build.definitions.model, test)


@dataclass(frozen=True, slots=True)
class Literal:
    """Part of a pattern above the discriminator's place: what a value there has to match."""

    value: Any


def build_match(kind: str, path: str, place: Place) -> Match | None:
    """Returns the function that tells whether a value belongs to the slice, or None when nothing can tell it."""
    steps, builder = parse_steps(path), _KINDS.get(kind)
    return None if steps is None or builder is None else builder(steps, place)


def _by_value(steps: Steps, place: Place) -> Match | None:
    ends = _ends(steps, place)
    if ends and all(isinstance(end, Node) and end.element.max == 0 for end in ends):
        return _negated(place.some(steps, _always))
    tests = [test for end in ends if (test := _test(end, place.build))]
    if not tests:
        return None
    return place.some(steps, tests[0] if len(tests) == 1 else _any_of(tests))


def _by_existence(steps: Steps, place: Place) -> Match | None:
    limits = [(node.element.min, node.element.max) for node in _nodes(steps, place)]
    if any(least > 0 for least, _ in limits):
        return place.some(steps, _always)
    if any(most == 0 for _, most in limits):
        return _negated(place.some(steps, _always))
    return None


def _by_type(steps: Steps, place: Place) -> Match | None:
    if steps and steps[-1][0] == "resolve":
        return _by_target(steps[:-1], place)
    types = frozenset(type_.code for node in _nodes(steps, place) for type_ in node.element.types)
    if types & place.build.definitions.model.resources:
        return place.some(steps, lambda one, _: isinstance(one, dict) and text_of(one, "resourceType") in types)
    return _by_choice_type(steps, types, place) if steps and types else None


def _by_choice_type(steps: Steps, types: frozenset[str], place: Place) -> Match | None:
    model, name = place.build.definitions.model, steps[-1][0]
    properties = model.properties.get(type_at(place.type, steps[:-1], model) or "", {})
    keys = {key for key, one in properties.items() if name in (one.choice, key) and one.type in types}
    return place.some(steps[:-1], lambda owner, _: type(owner) is dict and not keys.isdisjoint(owner)) if keys else None


def _by_target(steps: Steps, place: Place) -> Match | None:
    urls = [url for node in _nodes(steps, place) for type_ in node.element.types for url in type_.targets]
    structures = [place.build.definitions.structure(url) for url in urls]
    types = frozenset(structure.type for structure in structures if structure)
    return (
        place.some(steps, lambda one, scope: type(one) is dict and target_type(one, scope) in types) if types else None
    )


def _by_profile(steps: Steps, place: Place) -> Match | None:
    resolves = bool(steps) and steps[-1][0] == "resolve"
    nodes = _nodes(steps[:-1] if resolves else steps, place)
    types = [type_ for node in nodes for type_ in node.element.types]
    urls = [url for type_ in types for url in (type_.targets if resolves else type_.profiles)]
    checks = [check for url in urls if (check := place.build.profile_check(url))]
    tests: list[Match] = [lambda one, scope, check=check: not has_error(check(one, scope)) for check in checks]  # type: ignore[misc]
    return place.some(steps, _any_of(tests)) if tests else None


_KINDS: Mapping[str, Callable[[Steps, Place], Match | None]] = {
    "value": _by_value,
    "pattern": _by_value,
    "exists": _by_existence,
    "type": _by_type,
    "profile": _by_profile,
}


def _always(_value: Any, _scope: Scope) -> bool:
    return True


def _negated(match: Match) -> Match:
    return lambda value, scope: not match(value, scope)


def _any_of(tests: list[Match]) -> Match:
    return lambda value, scope: any(test(value, scope) for test in tests)


def _nodes(steps: Steps, place: Place) -> list[Node]:
    return [end for end in _ends(steps, place) if isinstance(end, Node)]


def _ends(steps: Steps, place: Place) -> list[Node | Literal]:
    """Returns everything that says what stands at the end of the path: nodes, and parts of patterns above."""
    current: list[Node | Literal] = [place.node]
    for name, argument in steps:
        current = [after for one in current for after in _next(one, name, argument, place.build)]
    return current


def _next(one: Node | Literal, name: str, argument: str, build: Build) -> Iterator[Node | Literal]:
    if name == "ofType":
        yield one
    elif isinstance(one, Literal):
        yield from _parts(one.value, name)
    elif name == "resolve":
        yield from _trees((url for type_ in one.element.types for url in type_.targets), build)
    elif name == "extension":
        yield from _extension_slices(one, argument)
    else:
        for fact in (one.element.fixed, one.element.pattern):
            yield from _parts(fact[1] if fact else None, name)
        profiles = (url for type_ in one.element.types for url in type_.profiles)
        for node in (one, *_trees(profiles, build)):
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


def _trees(urls: Iterable[str], build: Build) -> Iterator[Node]:
    for url in urls:
        structure = build.definitions.structure(url)
        if structure is not None and is_profile(structure):
            yield build_tree(structure.elements)


def _test(end: Node | Literal, build: Build) -> Match | None:
    """Returns what a value at this end has to be, or None when the end says nothing."""
    if isinstance(end, Literal):
        return _matching(end.value)
    if end.element.fixed:
        fixed = end.element.fixed[1]
        return _matching(fixed) if isinstance(fixed, str) else lambda value, _: is_same(value, fixed)
    pattern = end.element.pattern[1] if end.element.pattern else _pattern_below(end)
    return _matching(pattern) if pattern or pattern is False or pattern == 0 else _bound(end, build)


def _matching(wanted: Any) -> Match:
    if isinstance(wanted, str):
        return TextIs(wanted)
    return sure_of(build_matching(wanted))


def _pattern_below(node: Node) -> Any:
    """Returns what the fixed values, patterns and required slices below amount to as one pattern; None for nothing."""
    pattern: dict[str, Any] = {}
    for name, child in node.children.items():
        needed = [one for one in child.slices.values() if one.element.min > 0]
        below = [one for one in map(_wanted, (child, *needed)) if one is not None]
        if below:
            pattern[name] = below[0] if child.element.max == 1 or isinstance(below[0], list) else below
    return pattern or None


def _wanted(node: Node) -> Any:
    fact = node.element.fixed or node.element.pattern
    return fact[1] if fact else _pattern_below(node)


def _bound(node: Node, build: Build) -> Match | None:
    binding = node.element.binding
    if binding is None or binding.strength != "required" or binding.value_set is None:
        return None
    codes = build.terminology.expand(binding.value_set)
    if codes is None:
        return None
    members = frozenset(code for _, code in codes)
    return lambda value, _: (
        value in members if isinstance(value, str) else any(pair in codes for pair in pairs_in(value))
    )
