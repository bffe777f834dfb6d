"""Slices: which item belongs to which, how many each may have, and in what order, https://hl7.org/fhir/R4/profiling.html#slicing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple, TypeAlias

from fhir_server.definitions.registry import Slicing
from fhir_server.validation.report import Finding, Findings, at, found, joined, listing, warned
from fhir_server.validation.rules.discriminator import Place, build_match
from fhir_server.validation.rules.objects import text_of
from fhir_server.validation.rules.path import Match, spelled, spelling, texts_of
from fhir_server.validation.rules.severity import by_policy
from fhir_server.validation.site import Build, Check, Scope, Site
from fhir_server.validation.sure import Emit, Source, refuse
from fhir_server.validation.tree import Node

BY_URL = (("value", "url"),)

Members: TypeAlias = Sequence[tuple[int, Any]]
"""Items with their index in the array."""
Groups: TypeAlias = Mapping[int, Members]
"""The members of each slice that has some, by the number of the slice."""
Compile: TypeAlias = Callable[[Node], Check | None]


class Sliced(NamedTuple):
    """The check of items against slices, and its quick form for the items in a variable."""

    check: Callable[[Members, Scope], Findings | None]
    emit: Emit


@dataclass(frozen=True, slots=True)
class Slice:
    """One slice, compiled: who belongs to it, how many it needs and takes, what its members must meet, its re-slices.

    `urls` are the extensions that it takes, where that is all that tells its members.
    """

    name: str
    match: Match
    urls: frozenset[str]
    least: int
    most: int | None
    check: Check | None
    inner: Sliced | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What building the slices of one element needs. `compile_slice` builds the check of one slice's members."""

    slicing: Slicing
    site: Site
    build: Build
    compile_slice: Compile


def build_slicing(node: Node, site: Site, build: Build, *, compile_slice: Compile) -> Sliced | None:
    """Returns the check of an array's items against the slices of its element, or None when there are none.

    A slice that nothing can tell apart is reported, and a warning wherever it would have to be looked for.
    """
    if not node.slices:
        return None
    slicing = node.element.slicing or Slicing(BY_URL if site.type == "Extension" else (), ordered=False, rules="open")
    plan = Plan(slicing, site, build, compile_slice)
    slices = [_slice(name, one, plan) for name, one in node.slices.items()]
    missing = [name for name, one in zip(node.slices, slices, strict=True) if one is None]
    return _run([one for one in slices if one is not None], plan, missing)


def _slice(name: str, node: Node, plan: Plan) -> Slice | None:
    match = _match(node, plan)
    if match is None:
        by = listing(f"{kind}:{path}" for kind, path in plan.slicing.discriminators) or "no discriminator"
        plan.build.report(plan.site, f"nothing tells the members of slice {name!r} ({by})")
        return None
    inner = build_slicing(node, plan.site, plan.build, compile_slice=plan.compile_slice)
    return Slice(name, match, _urls(node, plan), node.element.min, node.element.max, plan.compile_slice(node), inner)


def _urls(node: Node, plan: Plan) -> frozenset[str]:
    if plan.site.type != "Extension" or plan.slicing.discriminators != BY_URL:
        return frozenset()
    return frozenset(url.partition("|")[0] for type_ in node.element.types for url in type_.profiles)


def _match(node: Node, plan: Plan) -> Match | None:
    discriminators, urls = plan.slicing.discriminators, _urls(node, plan)
    if urls:
        return lambda value, _: type(value) is dict and text_of(value, "url") in urls
    place = Place(node, plan.site.type, plan.build)
    matches = [build_match(kind, path, place) for kind, path in discriminators]
    known = [match for match in matches if match is not None]
    if not known or len(known) < len(matches):
        return None
    return known[0] if len(known) == 1 else _all_of(known)


def _all_of(matches: Sequence[Match]) -> Match:
    def spell(item: str, source: Source) -> str:
        return " and ".join(f"({spelled(match, item, source)})" for match in matches)

    if len(matches) == 2:
        one, other = matches
        both = texts_of(one), texts_of(other)
        texts = {**both[0], **both[1]} if both[0] and both[1] and both[0].keys().isdisjoint(both[1]) else None
        return spelling(lambda value, scope: one(value, scope) and other(value, scope), spell, texts)
    return spelling(lambda value, scope: all(match(value, scope) for match in matches), spell)


def _run(slices: Sequence[Slice], plan: Plan, missing: Sequence[str]) -> Sliced:
    number_of, overlaps = _numbering(slices), _overlapping(slices, plan)
    needed = frozenset(number for number, one in enumerate(slices) if one.least)
    is_closed = plan.slicing.rules == "closed" and not missing
    has_order = (plan.slicing.ordered or plan.slicing.rules == "openAtEnd") and not missing

    def check(members: Members, scope: Scope) -> Findings | None:
        groups: dict[int, list[tuple[int, Any]]] = {}
        for member in members:
            number = number_of(member[1], scope)
            if number is not None:
                groups.setdefault(number, []).append(member)
        result = _ambiguous(groups, slices, plan.site, scope) if overlaps else None
        if has_order or (is_closed and len(members) > sum(map(len, groups.values()))):
            result = joined(result, _misplaced(members, groups, slices, plan))
        for number in sorted(needed.union(groups)):
            result = joined(result, _group_faults(slices[number], groups.get(number, ()), scope, plan.site))
        return joined(result, _unchecked(missing, plan.site)) if missing and members else result

    is_hard = has_order or missing or any(one.inner for one in slices)
    if is_hard or any(kind == "profile" for kind, _ in plan.slicing.discriminators):
        return Sliced(check, refuse)
    return Sliced(check, lambda source, items: _emit(source, items, slices, is_closed=is_closed, overlaps=overlaps))


def _emit(source: Source, items: str, slices: Sequence[Slice], *, is_closed: bool, overlaps: bool) -> None:
    """Writes a loop over the items that counts the members of each slice and looks at them, then the counts."""
    count, item = source.variable("n"), source.variable("y")
    limited = [i for i, one in enumerate(slices) if one.least or one.most is not None]
    for number in limited:
        source.line(f"{count}_{number} = 0")
    with source.block(f"for {item} in {items}:"):
        parts = _emit_parts(source, item, slices)
        for number, one in enumerate(slices):
            with source.block(f"{'elif' if number else 'if'} {_belongs(one, item, parts, source)}:"):
                for other in slices[number + 1 :] if overlaps else ():
                    source.refuse_if(spelled(other.match, item, source))
                if number in limited:
                    source.line(f"{count}_{number} += 1")
                if one.check is not None:
                    source.check(one.check, item)
        if is_closed:
            source.line("else: return False")
    for number in limited:
        most = slices[number].most
        least = slices[number].least
        bounds = [f"{count}_{number} < {least}"] if least else []
        bounds += [] if most is None else [f"{count}_{number} > {most}"]
        source.refuse_if(" or ".join(bounds))


def _emit_parts(source: Source, item: str, slices: Sequence[Slice]) -> Mapping[str, str]:
    """Writes that the properties of an item that tell all slices apart become variables, whose names it returns.

    They are texts. Where one is an array, which R4 forbids, the checks themselves have to say what belongs to what.
    """
    told = [{"url": ""} if one.urls else texts_of(one.match) or {} for one in slices]
    if not all(told):
        return {}
    names = {key: source.variable(f"m{number}_") for number, key in enumerate(sorted({k for one in told for k in one}))}
    for key, name in names.items():
        source.line(f"{name} = {item}.get({key!r})")
        source.refuse_if(f"type({name}) is list")
    return names


def _belongs(one: Slice, item: str, parts: Mapping[str, str], source: Source) -> str:
    if parts and one.urls:
        return " or ".join(f"{parts['url']} == {url!r}" for url in sorted(one.urls))
    if parts:
        return " and ".join(f"{parts[key]} == {text!r}" for key, text in (texts_of(one.match) or {}).items())
    return spelled(one.match, item, source)


def _numbering(slices: Sequence[Slice]) -> Callable[[Any, Scope], int | None]:
    """Returns what tells the number of the slice that a value belongs to, the first of several; None for none."""
    if all(one.urls for one in slices):
        by_url = {url: number for number, one in reversed(list(enumerate(slices))) for url in one.urls}
        return lambda value, _: by_url.get(str(value.get("url"))) if type(value) is dict else None
    numbered = [(number, one.match) for number, one in enumerate(slices)]

    def number_of(value: Any, scope: Scope) -> int | None:
        for number, match in numbered:
            if match(value, scope):
                return number
        return None

    return number_of


def _overlapping(slices: Sequence[Slice], plan: Plan) -> bool:
    """Tells whether an item may match several slices; of profiles it is not asked, for they are checked as a whole."""
    if any(one.urls for one in slices) or any(kind == "profile" for kind, _ in plan.slicing.discriminators):
        return False
    told = [texts_of(one.match) or {} for one in slices]
    return any(all(other.get(k, text) == text for k, text in one.items()) for one, other in combinations(told, 2))


def _ambiguous(groups: Groups, slices: Sequence[Slice], site: Site, scope: Scope) -> Findings | None:
    """Returns the findings of items that match more slices than the one that they are counted for."""
    result: Findings = []
    for number, group in groups.items():
        for index, value in group:
            others = [one.name for one in slices[number + 1 :] if one.match(value, scope)]
            if others:
                names = listing([slices[number].name, *others])
                params = {"element": site.place, "slices": names, "profile": site.profile}
                result.append(Finding("validation.slice-many", params, by_policy(scope.policy), path=[index]))
    return result or None


def _unchecked(missing: Sequence[str], site: Site) -> Findings:
    return warned("validation.slice-unchecked", slices=listing(missing), element=site.place, profile=site.profile)


def _group_faults(one: Slice, group: Members, scope: Scope, site: Site) -> Findings | None:
    result: Findings | None = None
    if one.check is not None:
        for index, value in group:
            more = one.check(value, scope)
            if more is not None:
                result = joined(result, at(more, index))
    if one.inner is not None:
        result = joined(result, one.inner.check(group, scope))
    if len(group) < one.least or (one.most is not None and len(group) > one.most):
        result = joined(result, _count_fault(one, len(group), site))
    return result


def _count_fault(one: Slice, number: int, site: Site) -> Findings:
    names = {"slice": f"{site.place}:{one.name}", "found": number, "profile": site.profile}
    if number < one.least:
        return found("validation.slice-min", min=one.least, **names)
    return found("validation.slice-max", max=one.most, **names)


def _misplaced(members: Members, groups: Groups, slices: Sequence[Slice], plan: Plan) -> Findings | None:
    number_of = {index: number for number, group in groups.items() for index, _ in group}
    result: Findings = []
    last, is_open = 0, False
    for index, _ in members:
        number = number_of.get(index)
        key = _fault_of_place(number, last, plan.slicing, is_open=is_open)
        if key is not None:
            name = "" if number is None else slices[number].name
            params = {"element": plan.site.place, "slice": name, "profile": plan.site.profile}
            result.append(Finding(key, params, path=[index]))
        is_open = is_open or number is None
        last = last if number is None else max(last, number)
    return result or None


def _fault_of_place(number: int | None, last: int, slicing: Slicing, *, is_open: bool) -> str | None:
    if number is None:
        return "validation.slice-closed" if slicing.rules == "closed" else None
    if is_open and slicing.rules == "openAtEnd":
        return "validation.slice-end"
    return "validation.slice-order" if slicing.ordered and number < last else None
