"""What an element's references may point at: types, profiles of the target, and where it lies.

See https://hl7.org/fhir/R4/elementdefinition.html#ElementDefinition.type.targetProfile.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from fhir_server.fhir.shapes import JsonObject
from fhir_server.validation.policy import References
from fhir_server.validation.report import Findings, found, has_error, joined, listing, shown
from fhir_server.validation.rules.bundle import bundle_around
from fhir_server.validation.rules.objects import text_of
from fhir_server.validation.rules.resolution import (
    CORE,
    fetched,
    in_bundle,
    leaves_bundle,
    nearness,
    resolve,
    type_in_url,
)
from fhir_server.validation.rules.resource import check_resource, scope_of, scope_within
from fhir_server.validation.rules.types import ANY_RESOURCE
from fhir_server.validation.site import Build, Check, Scope, Site, deeper, is_profile
from fhir_server.validation.sure import BUNDLE, POLICY, Source, described

CONTAINED, BUNDLED, REMOTE = "contained", "bundled", "remote"
"""Where a target lies; the first two are also aggregation modes."""


@dataclass(frozen=True, slots=True)
class Targets:
    """What one element's references may point at.

    `types` are the types of targets, empty for any. `profiles` are the profiles that a target of a type has to meet one
    of; a type without an entry is free. `unknown` are target profiles without a definition, `modes` the aggregation modes.
    """

    types: frozenset[str]
    profiles: Mapping[str, Sequence[str]]
    unknown: Sequence[str]
    modes: frozenset[str]

    @property
    def is_plain(self) -> bool:
        """Whether the type of the target is all that is asked."""
        return not (self.profiles or self.unknown or self.modes)


def build_reference(site: Site, build: Build) -> Check | None:
    """Returns the check that a reference points at one of the allowed targets, or None when any will do."""
    if site.type != "Reference" or (site.base and site.base.types == site.element.types):
        return None
    targets = _targets(site, build)
    if targets.is_plain and not targets.types:
        return None
    judge, is_narrow = Judge(targets, build), bool(targets.profiles or targets.unknown)

    def check(value: Any, scope: Scope) -> Findings | None:
        if type(value) is not dict:
            return None
        is_plain = not targets.modes and _is_plainly_to(targets.types, value)
        if is_plain and is_narrow:
            is_plain = scope.policy.references is References.IGNORE
        if is_plain and (not scope.bundle or leaves_bundle(value.get("reference", ""), scope)):
            return None
        return judge.faults(value, scope)

    def emit(source: Source, value: str) -> None:
        text = source.variable("r")
        looks = [
            f"({text} := {value}.get('reference') or '').count('/') == 1 and '?' not in {text} and 'type' not in {value}",
            f"{text}.partition('/')[0] in {source.constant(targets.types)}",
            f"(not {BUNDLE} or {source.constant(leaves_bundle)}({text}, s))",
            *([f"{POLICY}.references is {source.constant(References.IGNORE)}"] if is_narrow else []),
        ]
        source.refuse_if(f"not ({' and '.join(looks)}) and {source.constant(check)}({value}, s) is not None")

    return check if targets.modes else described(check, emit)


def _targets(site: Site, build: Build) -> Targets:
    refs = [type_ for type_ in site.element.types if type_.code == "Reference"]
    modes = frozenset(mode for one in refs for mode in one.aggregation)
    profiles: dict[str, list[str]] = {}
    types, unknown, free = set(), [], set()
    for url in (url for one in refs for url in one.targets):
        structure = build.definitions.structure(url)
        if structure is None:
            build.report(site, f"unknown target profile {url}")
            unknown.append(url)
            continue
        types.add(structure.type)
        if is_profile(structure):
            profiles.setdefault(structure.type, []).append(url)
        else:
            free.add(structure.type)
    if types & ANY_RESOURCE:
        return Targets(frozenset(), {}, (), modes)
    asked = {type_: urls for type_, urls in profiles.items() if type_ not in free}
    return Targets(frozenset(types), asked, tuple(unknown), modes)


def _is_plainly_to(targets: frozenset[str], reference: JsonObject) -> bool:
    """Tells at once of `Type/id`, and of a named type without a reference, what most references are."""
    text = reference.get("reference")
    if type(text) is not str:
        named = None if text is not None else reference.get("type")
        return type(named) is str and named in targets
    head, slash, tail = text.partition("/")
    return head in targets and slash != "" and "/" not in tail and "?" not in tail and "type" not in reference


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges the references of one element. `there` is where a reference leads: how it lies, and the target if at hand."""

    targets: Targets
    build: Build

    def faults(self, reference: JsonObject, scope: Scope) -> Findings | None:
        """Returns what is wrong with where a reference leads."""
        text = reference.get("reference")
        if not isinstance(text, str):
            return self.named(reference.get("type"), is_strict=scope.policy.strict)
        there = _located(text, scope)
        result = joined(self.type(reference, there, scope), self.mode(text, there))
        if there.target is None:
            return result
        return joined(result, self.profile(text, there, scope))

    def named(self, named: Any, *, is_strict: bool) -> Findings | None:
        """Returns the finding that `Reference.type` is none of the allowed types."""
        plain = named.removeprefix(CORE) if isinstance(named, str) else None
        if plain is None or not self.targets.types or plain in self.targets.types:
            return None
        if not is_strict and plain not in self.build.definitions.model.resources:
            return None  # a logical type or another version's
        return found("validation.reference-target", found=shown(named), expected=listing(self.targets.types))

    def type(self, reference: JsonObject, there: "There", scope: Scope) -> Findings | None:
        """Returns the finding that the target, or the type that the reference names, is none of the allowed types."""
        text, is_strict = reference["reference"], scope.policy.strict
        fault = self.named(reference.get("type"), is_strict=is_strict) if is_strict or not type_in_url(text) else None
        if there.target is not None:
            actual = text_of(there.target, "resourceType")
        else:
            actual = type_in_url(text) if scope.policy.type_from_url else ""
        allowed = self.targets.types
        if not allowed or actual in allowed or actual not in self.build.definitions.model.resources:
            return fault
        return joined(fault, found("validation.reference-target", found=actual, expected=listing(allowed)))

    def mode(self, text: str, there: "There") -> Findings | None:
        """Returns the finding that the target lies where the element does not allow it."""
        modes, place = self.targets.modes, there.place
        if not modes or place in modes or (place != CONTAINED and "referenced" in modes):
            return None
        expected = listing(modes)
        if there.target is None:
            return found("validation.reference-not-inside", reference=shown(text), expected=expected)
        return found("validation.reference-aggregation", reference=shown(text), found=place, expected=expected)

    def profile(self, text: str, there: "There", scope: Scope) -> Findings | None:
        """Returns the finding that the target meets none of the profiles of its type."""
        result: Findings | None = None
        for url in self.targets.unknown:
            result = joined(result, found("validation.reference-profile-unknown", profile=url))
        urls = self.targets.profiles.get(str(there.target and there.target.get("resourceType")), ())
        if not urls or (there.place == REMOTE and scope.policy.references is not References.VALID):
            return result
        if any(_conforms(there, url, scope, self.build) for url in urls):
            return result
        return joined(result, found("validation.reference-profile", reference=shown(text), expected=listing(urls)))


class There(NamedTuple):
    """Where a reference leads: how the target lies, and the target, None when it is not at hand."""

    place: str
    target: JsonObject | None


def _located(text: str, scope: Scope) -> There:
    if text[:1] == "#":
        return There(CONTAINED, resolve(text, scope))
    inside = in_bundle(text, scope) if scope.bundle else None
    if inside is not None:
        return There(BUNDLED, inside)
    return There(REMOTE, fetched(text, scope) if scope.policy.references.asks_type else None)


def _conforms(there: There, url: str, scope: Scope, build: Build) -> bool:
    """Tells whether a target meets a profile and, where it lies outside, R4 itself.

    Each pair is judged once a run; while it is being judged it counts as conforming, so that circles end.
    """
    key, target = ("conforms", id(there.target), url), there.target
    if key not in scope.memo and target is not None:
        scope.memo[key] = True
        inner, check = _scope_of(there.place, target, scope), build.profile_check(url)
        is_sound = check is not None and not has_error(check(target, inner))
        scope.memo[key] = is_sound and (there.place != REMOTE or not has_error(check_resource(target, inner, build)))
    known: bool = scope.memo[key]
    return known


def _scope_of(place: str, target: JsonObject, scope: Scope) -> Scope:
    if place == CONTAINED:
        return scope_within(scope, target, is_contained=target is not scope.root)
    if place == REMOTE:
        alone = scope_of(target, use_meta=scope.use_meta, policy=scope.policy, resolve=scope.resolve)
        return alone._replace(depth=deeper(scope).depth, memo=scope.memo)
    around = bundle_around(scope)
    full_url = around.url_of.get(id(target), "") if around else ""
    return deeper(scope)._replace(resource=target, root=target, full_url=full_url, near=nearness(full_url))
