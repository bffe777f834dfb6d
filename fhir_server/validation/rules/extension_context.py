"""Where an extension may stand, https://hl7.org/fhir/R4/defining-extensions.html#context."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

from fhir_server.definitions.registry import StructureDefinition
from fhir_server.fhir.shapes import JsonObject
from fhir_server.fhir.type_model import TypeModel
from fhir_server.fhirpath import EvaluationError, Expression, FhirPathError, compile  # noqa: A004 -- the room's own name
from fhir_server.validation.report import Findings, found, listing
from fhir_server.validation.rules.objects import text_of
from fhir_server.validation.rules.walk import WHOLE, Spot
from fhir_server.validation.site import Build, Check, Scope

CORE = "http://hl7.org/fhir/StructureDefinition/"
ANYWHERE = frozenset({"Element", "Any", "*"})
CORRECTED: Mapping[str, tuple[tuple[str, str], ...]] = {
    f"{CORE}structuredefinition-fhir-type": (("element", "ElementDefinition.type"),),
    f"{CORE}valueset-concept-comments": (
        ("element", "ValueSet.compose.include.concept"),
        ("element", "CodeSystem.concept"),
    ),
    f"{CORE}regex": (
        ("element", "Questionnaire.item"),
        ("element", "ElementDefinition"),
        ("element", "ElementDefinition.type"),
    ),
    f"{CORE}structuredefinition-normative-version": (("element", "Element"),),
    f"{CORE}capabilitystatement-expectation": (("element", "Element"),),
    f"{CORE}capabilitystatement-prohibited": (("element", "Element"),),
}
"""Contexts that R4 published too narrow: its own definitions use these extensions elsewhere."""
NEVER_ENTERED = frozenset({"Extension", "Reference", "Meta", "Narrative", *WHOLE})
DEEPEST = 3
"""Steps down which places are told at once, and types below which none are."""
FREE = ("ElementDefinition.fixed", "ElementDefinition.pattern", "ElementDefinition.example.value")
"""Values of these are parts of other resources, and so are the extensions in them."""


@dataclass(frozen=True, slots=True)
class Contexts:
    """Where one extension may stand: types and element paths, within which extensions, at which paths, on what terms."""

    url: str
    elements: frozenset[str]
    extensions: frozenset[str]
    paths: tuple[Expression, ...]
    terms: tuple[str, ...]

    def __str__(self) -> str:
        """Returns the contexts as a sentence lists them."""
        return listing([*self.elements, *self.extensions, *(path.text for path in self.paths)])


def build_context(structure: StructureDefinition, owner: str, build: Build) -> Check | None:
    """Returns the check that an extension stands where its definition allows it, or None when it may stand in `owner`.

    `owner` is the type or backbone path that has the extension; where that alone does not tell, the place is looked up. An expression that cannot be compiled or run forbids nothing.
    """
    contexts = _contexts(structure)
    if (ANYWHERE & contexts.elements or not structure.context) and not contexts.terms:
        return None
    model = build.definitions.model
    if not contexts.terms and not contexts.elements.isdisjoint(_lineage(owner, model)):
        return None
    paths: dict[str, tuple[tuple[str, ...], ...]] = {}

    def check(value: Any, scope: Scope) -> Findings | None:
        type_ = str(scope.resource.get("resourceType"))
        if type_ not in paths and type_ in model.resources:
            paths[type_] = tuple(path for element in contexts.elements for path in _paths_to(element, type_, model))
        if not contexts.terms and _stands_plainly(value, contexts, paths.get(type_, ()), scope):
            return None
        holder = _holders(scope, model).get(id(value))
        return None if holder is None else _fault(value, holder, contexts, scope, model)

    return check


def _contexts(structure: StructureDefinition) -> Contexts:
    listed = CORRECTED.get(structure.url, structure.context)
    of_kind = {kind: [text for one, text in listed if one == kind] for kind in ("element", "extension", "fhirpath")}
    paths = tuple(path for text in of_kind["fhirpath"] if (path := _compiled(text)))
    elements = frozenset(text.removeprefix(CORE) for text in of_kind["element"])
    return Contexts(structure.url, elements, frozenset(of_kind["extension"]), paths, structure.context_invariants)


def _compiled(text: str, type_: str | None = None) -> Expression | None:
    try:
        return compile(text, type_)
    except FhirPathError:
        return None


def _stands_plainly(value: Any, contexts: Contexts, paths: Sequence[Sequence[str]], scope: Scope) -> bool:
    """Tells at once of an extension in an extension of the resource itself, or at a plain path."""
    if contexts.extensions:
        for outer in _objects(scope.resource.get("extension")):
            if text_of(outer, "url") in contexts.extensions and any(
                one is value for one in _objects(outer.get("extension"))
            ):
                return True
    return any(_stands_at(path, value, scope) for path in paths)


def _paths_to(element: str, type_: str, model: TypeModel) -> list[tuple[str, ...]]:
    """Returns the ways from a resource to an element: `HumanName.family` is at `name.family` and `contact.name.family`.

    Only those of a few steps, which most extensions have.
    """
    owner, *steps = element.split(".")
    if not steps:
        return []
    found: list[tuple[str, ...]] = []
    level: list[tuple[str, tuple[str, ...]]] = [(type_, ())]
    for _ in range(DEEPEST):
        found += [(*way, *steps) for name, way in level if name == owner]
        below = [(way, model.properties.get(name, {})) for name, way in level if name not in model.primitives]
        level = [
            (p.type, (*way, key)) for way, known in below for key, p in known.items() if p.type not in NEVER_ENTERED
        ]
    return found


def _stands_at(steps: Sequence[str], value: Any, scope: Scope) -> bool:
    owners = [scope.resource]
    for step in steps:
        owners = _below(owners, step)
        if not owners:
            return False
    return any(one is value for owner in owners for one in _objects(owner.get("extension")))


def _below(owners: Sequence[JsonObject], step: str) -> list[JsonObject]:
    found: list[JsonObject] = []
    for owner in owners:
        for name in (step, f"_{step}"):
            one = owner.get(name)
            if type(one) is dict:
                found.append(one)
            elif type(one) is list:
                found += _objects(one)
    return found


def _objects(value: Any) -> list[JsonObject]:
    listed = value if type(value) is list else (value,)
    return [one for one in listed if type(one) is dict]


def _holders(scope: Scope, model: TypeModel) -> Mapping[int, Spot]:
    """Returns what each extension of the resource stands in, by the `id()` of the extension; worked out once a run."""
    key = ("holders", id(scope.resource))
    if key not in scope.memo:
        scope.memo[key] = dict(_holders_in(scope.resource, model))
    known: Mapping[int, Spot] = scope.memo[key]
    return known


def _holders_in(resource: JsonObject, model: TypeModel) -> Iterator[tuple[int, Spot]]:
    """Yields the `id()` of each extension with what it stands in; a place becomes a Spot only where it has one."""
    waiting: list[_Place] = [_Place(resource, str(resource.get("resourceType")), "", None, None)]
    while waiting:
        place = waiting.pop()
        for name in ("extension", "modifierExtension"):
            if type(place.value.get(name)) is list:
                holder = _spot(place)
                yield from ((id(one), holder) for one in place.value[name])
        waiting += _places_in(place, model)


class _Place(NamedTuple):
    """An object on the way through a resource, as a Spot without its way."""

    value: JsonObject
    type: str
    name: str
    choice: str | None
    owner: "_Place | None"


def _places_in(place: _Place, model: TypeModel) -> Iterator[_Place]:
    known = model.properties.get("Element" if place.type in model.primitives else place.type, {})
    for name, value in place.value.items():
        if type(value) is dict or type(value) is list:
            property_ = known.get(name.removeprefix("_"))
            if property_ is not None and property_.type not in WHOLE:
                for one in _objects(value):
                    yield _Place(one, property_.type, name.removeprefix("_"), property_.choice, place)


def _spot(place: _Place) -> Spot:
    owner = None if place.owner is None else _spot(place.owner)
    return Spot(place.value, place.type, place.name, place.choice, (), owner)


def _fault(value: Any, holder: Spot, contexts: Contexts, scope: Scope, model: TypeModel) -> Findings | None:
    places = frozenset(_places(holder, model))
    if any(place.startswith(FREE) for place in places):
        return None
    if not (_is_allowed(places, holder, contexts) or _is_on_path(holder, contexts, scope)):
        return found("validation.extension-context", url=contexts.url, expected=str(contexts), found=listing(places))
    for term in contexts.terms:
        if not _holds(term, value, holder, scope):
            return found("validation.extension-term", url=contexts.url, term=term)
    return None


def _is_allowed(places: frozenset[str], holder: Spot, contexts: Contexts) -> bool:
    if ANYWHERE & contexts.elements or not contexts.elements.isdisjoint(places):
        return True
    if any(element.startswith(("http:", "https:", "urn:")) for element in contexts.elements):
        return True  # elements of a profile: whether the resource meets it is another question
    outer = holder if holder.type == "Extension" else holder.owner
    url = text_of(outer.value, "url") if outer and outer.type == "Extension" else None
    return url in contexts.extensions or any(one.endswith(f"#{url}") for one in contexts.extensions)


def _is_on_path(holder: Spot, contexts: Contexts, scope: Scope) -> bool:
    return any(one is holder.value for path in contexts.paths for one in _nodes(path, scope))


def _nodes(path: Expression, scope: Scope) -> list[Any]:
    try:
        found_nodes = path.collection(
            scope.resource, resource=scope.resource, rootResource=scope.root, assume_types=True
        )
    except EvaluationError:
        return []
    return [node.value for node in found_nodes]


def _holds(term: str, value: Any, holder: Spot, scope: Scope) -> bool:
    """Tells whether a context invariant holds, which an empty result does not; `%extension` is the extension."""
    expression = _compiled(term, holder.type)
    if expression is None:
        return True
    variables = {"resource": scope.resource, "rootResource": scope.root, "extension": value}
    try:
        return expression.evaluate(holder.value, **variables) not in ([], [False])
    except EvaluationError:
        return True


def _lineage(type_: str, model: TypeModel) -> Iterator[str]:
    """Yields a type and those it derives from; a backbone path is a BackboneElement."""
    current: str | None = type_
    while current:
        yield current
        current = model.parents.get(current, "BackboneElement" if "." in current else None)


def _places(holder: Spot, model: TypeModel) -> Iterator[str]:
    """Yields every name of the place: `Patient.name`, `DomainResource.name`, `HumanName`, `Element`, ...

    An element is named from each of the types that it stands in, a choice element in each of its spellings.
    """
    yield from _lineage(holder.type, model)
    tails, spot = list(_spellings(holder)), holder.owner
    while spot is not None:
        for type_, tail in product(_lineage(spot.type, model), tails):
            yield f"{type_}.{tail}"
        tails = [f"{name}.{tail}" for name, tail in product(_spellings(spot), tails)] if spot.owner else []
        spot = spot.owner


def _spellings(spot: Spot) -> tuple[str, ...]:
    if spot.choice is None:
        return (spot.name,)
    return (spot.choice, f"{spot.choice}[x]", spot.name, f"{spot.choice}.ofType({spot.type})")
