"""Everything that may be said about one value of an element, in the order in which it is reported.

See https://hl7.org/fhir/R4/elementdefinition.html.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import chain

from fhir_server.definitions.registry import Constraint, Element
from fhir_server.fhir.type_model import Property, TypeModel
from fhir_server.validation.rules.fixed import build_fixed, build_least, build_length, build_most, build_pattern
from fhir_server.validation.rules.invariant import build_invariants
from fhir_server.validation.rules.limits import build_limits
from fhir_server.validation.rules.presence import build_presence
from fhir_server.validation.rules.reference_target import build_reference
from fhir_server.validation.rules.types import build_type_profile
from fhir_server.validation.site import Build, Check, Key, Site


def build_backbone_profile(site: Site, build: Build) -> Check | None:
    """Returns the check that a backbone element meets one of the profiles of its type, which R4 writes without its path."""
    codes = {type_.code for type_ in site.element.types}
    return build_type_profile(replace(site, type=codes.pop()), build) if "." in site.type and len(codes) == 1 else None


FACETS: tuple[Callable[[Site, Build], Check | None], ...] = (
    build_fixed,
    build_pattern,
    build_length,
    build_least,
    build_most,
    build_limits,
    build_reference,
    build_type_profile,
    build_backbone_profile,
    build_presence,
)


def value_checks(site: Site, known: Iterable[Constraint], build: Build) -> list[Check]:
    """Returns the checks of one value of an element, but for its binding; `known` invariants are checked elsewhere."""
    built = (facet(site, build) for facet in FACETS)
    return [check for check in chain(built, build_invariants(site, known, build)) if check is not None]


def own_element(type_: str, build: Build) -> Element | None:
    """Returns R4's own element for a type (its root) or for a path (`Patient.contact`), or None."""
    root = build.definitions.structure_of_type(type_.partition(".")[0])
    return next((element for element in root.elements if element.path == type_), None)


def own_constraints(type_: str, build: Build) -> tuple[Constraint, ...]:
    """Returns the invariants that R4's own check of a type runs."""
    element = own_element(type_, build)
    return element.constraints if element else ()


def keys_of(type_: str, name: str, model: TypeModel) -> list[Key]:
    """Returns the JSON properties of an element: one, or for a choice (`value[x]`) one per type."""
    properties = model.properties.get(type_, {})
    if name.endswith("[x]"):
        choice = name.removesuffix("[x]")
        return [key_of(key, properties[key], model) for key in model.choice_keys(type_, choice)]
    return [key_of(name, properties[name], model)] if name in properties else []


def key_of(name: str, property_: Property, model: TypeModel) -> Key:
    """Returns a JSON property with what a check has to know about it."""
    segment = f"{property_.choice}.ofType({property_.type})" if property_.choice else name
    sibling = f"_{name}" if property_.type in model.primitives else None
    return Key(name, property_.type, segment, property_.is_array, sibling)
