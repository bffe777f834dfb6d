"""R4's own types: what an object of a type may hold, https://hl7.org/fhir/R4/datatypes.html."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from fhir_server.definitions.registry import Element
from fhir_server.validation.checks import all_of
from fhir_server.validation.facets import key_of, own_constraints, value_checks
from fhir_server.validation.rules.binding import build_binding, build_code
from fhir_server.validation.rules.bundle import check_bundle
from fhir_server.validation.rules.contained import check_contained
from fhir_server.validation.rules.extension import build_ext_1, build_extension
from fhir_server.validation.rules.invariant import build_invariants
from fhir_server.validation.rules.own import OWN_RULES
from fhir_server.validation.rules.primitive import CHECKS, check_string
from fhir_server.validation.rules.reference import build_reference_rules
from fhir_server.validation.rules.resource import build_inner_resource
from fhir_server.validation.rules.structure import Field, Needed, Shape, array_of, build_choice, build_object, or_null
from fhir_server.validation.rules.types import ANY_RESOURCE
from fhir_server.validation.site import Build, Check, Key, Site
from fhir_server.validation.sure import Source, as_is, described, unsure

BARE = {"Extension.url": frozenset({"url"})}
"""Elements that must have a value: an attribute in XML, so that no extension can stand for it."""


def build_type(type_: str, build: Build, quicken: Callable[[Check], Check]) -> Check:
    """Returns the check of an object of a complex type, a resource type or a backbone path.

    `quicken` is applied to the check of a resource's properties.

    Raises:
        KeyError: R4 has no such type.
    """
    elements = _elements(type_, build)
    keys = [key_of(name, p, build.definitions.model) for name, p in build.definitions.model.properties[type_].items()]
    fields: dict[str, Field] = {}
    for key in keys:
        fields.update(_fields(type_, key, elements[_element_name(key)], build))
    is_resource = type_ in build.definitions.model.resources
    if is_resource:
        fields["resourceType"] = Field(check_string, "resourceType")
    choices = _choices(keys)
    needed = list(_needed(keys, elements))
    others = sum(not any(one.keys & names for names in choices.values()) for one in needed) + is_resource
    single = [build_choice(name, names, others) for name, names in choices.items()]
    shape = Shape(type_, fields, needed, [*_rules(type_, choices, build), *single], is_resource=is_resource)
    return build_object(shape, quicken if is_resource else as_is)


def _elements(type_: str, build: Build) -> Mapping[str, Element]:
    """Returns the elements right below a type by name (`name`, `value[x]`)."""
    root = build.definitions.structure_of_type(type_.partition(".")[0])
    below = (element for element in root.elements if element.path.rpartition(".")[0] == type_)
    return {element.path.rpartition(".")[2]: element for element in below}


def _element_name(key: Key) -> str:
    choice = key.segment.partition(".ofType(")[0]
    return f"{choice}[x]" if choice != key.segment else key.name


def _fields(type_: str, key: Key, element: Element, build: Build) -> Iterator[tuple[str, Field]]:
    check = _value_check(type_, key, Site(element, key.type, None, type_), build)
    yield key.name, _field(check, key)
    if key.sibling:
        sibling = build.type_check("Element")
        yield key.sibling, _field(or_null(sibling) if key.is_array else sibling, key)


def _field(check: Check, key: Key) -> Field:
    return Field(array_of(check) if key.is_array else check, key.segment)


def _value_check(type_: str, key: Key, site: Site, build: Build) -> Check:
    if key.type in ANY_RESOURCE:
        return unsure(build_inner_resource(build, is_contained=key.name == "contained"))
    if key.type in CHECKS:
        check = build_code(site, build)
        first = [check] if check else [CHECKS[key.type], build_binding(site, build)]
    elif key.type == "Extension":
        is_modifier = key.name == "modifierExtension"
        first = [build_extension(build.type_check("Extension"), build, owner=type_, is_modifier=is_modifier)]
    else:
        first = [build.type_check(site.type), build_binding(site, build)]
    known = own_constraints(key.type, build)
    return all_of([*first, *value_checks(site, known, build)]) or CHECKS["string"]


def _ext_1(keys: frozenset[str]) -> Check:
    def emit(source: Source, value: str) -> None:
        known = source.known_keys(value)
        if known is None:
            source.refuse_if(f"('extension' in {value}) != {source.constant(keys)}.isdisjoint({value})")
        else:
            source.refuse_if(str(("extension" in known) != keys.isdisjoint(known)))

    return described(build_ext_1(keys), emit)


def _needed(keys: Sequence[Key], elements: Mapping[str, Element]) -> Iterator[Needed]:
    for name, element in elements.items():
        if element.min > 0:
            mine = [key for key in keys if _element_name(key) == name]
            names = (n for key in mine for n in (key.name, key.sibling) if n)
            yield Needed(BARE.get(element.path) or frozenset(names), element.path)


def _choices(keys: Sequence[Key]) -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for key in keys:
        choice, is_choice, _ = key.segment.partition(".ofType(")
        if is_choice:
            found.setdefault(choice, set()).update(n for n in (key.name, key.sibling) if n)
    return {choice: frozenset(names) for choice, names in found.items()}


def _rules(type_: str, choices: Mapping[str, frozenset[str]], build: Build) -> Iterator[Check]:
    model = build.definitions.model
    if "contained" in model.properties[type_]:
        yield check_contained
    if type_ == "Bundle":
        yield check_bundle
    if type_ == "Extension":
        yield _ext_1(choices["value"])
    if type_ == "Reference":
        yield build_reference_rules(model.resources)
    yield from (rule(build) for rule in OWN_RULES.get(type_, ()))
    root = build.definitions.structure_of_type(type_.partition(".")[0])
    element = next(element for element in root.elements if element.path == type_)
    yield from build_invariants(Site(element, type_, None, type_), (), build)
