"""One ElementDefinition: what its types can carry, and what the profiles of its types are of.

See https://hl7.org/fhir/R4/elementdefinition.html#interpretation.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fhir_server.definitions.registry import StructureDefinition
from fhir_server.fhir.shapes import JsonObject
from fhir_server.validation.report import Finding, at, found, listing, shown, warned
from fhir_server.validation.rules.objects import objects, text_of
from fhir_server.validation.site import Build

_LENGTH = frozenset(
    [
        "integer",
        "decimal",
        "instant",
        "string",
        "uri",
        "date",
        "dateTime",
        "time",
        "canonical",
        "code",
        "id",
        "markdown",
        "oid",
        "positiveInt",
        "unsignedInt",
        "url",
        "uuid",
    ]
)
_RANGE = frozenset(
    [
        "integer",
        "decimal",
        "instant",
        "date",
        "dateTime",
        "time",
        "positiveInt",
        "unsignedInt",
        "Age",
        "Count",
        "Distance",
        "Duration",
        "Money",
        "Quantity",
        "MoneyQuantity",
        "SimpleQuantity",
    ]
)
_BOUND = frozenset(
    [
        "string",
        "uri",
        "code",
        "oid",
        "url",
        "uuid",
        "id",
        "canonical",
        "markdown",
        "Age",
        "CodeableConcept",
        "Coding",
        "Distance",
        "Duration",
        "Quantity",
        "Range",
        "Extension",
        "MoneyQuantity",
        "SimpleQuantity",
    ]
)
CARRIERS: Mapping[str, frozenset[str]] = {
    "binding": _BOUND,
    "maxLength": _LENGTH,
    "minValue": _RANGE,
    "maxValue": _RANGE,
}
"""The types that each of these says something about."""
_CHOICES = frozenset({"fixed", "pattern", "minValue", "maxValue", "defaultValue"})
_ON_TYPE = frozenset({"sliceName", "fixed", "pattern", "minValue", "maxValue", "maxLength"})
"""What the elements of a type do not have, only those of profiles."""
_ON_ROOT = _ON_TYPE | {"slicing", "requirements", "defaultValue", "meaningWhenMissing", "example"}
"""What the root of a snapshot does not have."""
TARGETED = frozenset({"Reference", "canonical", "CodeableReference"})


@dataclass(frozen=True, slots=True)
class Defined:
    """The StructureDefinition around an element: the resource, its base if known, and which view is looked at."""

    resource: JsonObject
    base: StructureDefinition | None
    is_snapshot: bool
    build: Build


def element_faults(element: JsonObject, defined: Defined) -> Iterator[Finding]:
    """Yields what is wrong with one element of a differential or snapshot."""
    codes = [text_of(one, "code") for _, one in objects(element, "type")]
    codes = [code for code in codes if code and "/" not in code]
    if not defined.is_snapshot and "." not in text_of(element, "path") and "slicing" in element:
        yield from at(found("validation.slicing-root", path=text_of(element, "path")), "slicing")
    yield from _presence_faults(element, codes, defined)
    yield from _carrier_faults(element, codes)
    yield from value_faults(element, codes)
    for index, type_ in objects(element, "type"):
        yield from at(list(_type_faults(type_, element, defined)), index, "type")


def _presence_faults(element: JsonObject, codes: Sequence[str], defined: Defined) -> Iterator[Finding]:
    """Checks what an element may or must have by its place: root or below, profile or type, differential or snapshot."""
    path = text_of(element, "path")
    is_root, is_profile = "." not in path, text_of(defined.resource, "derivation") == "constraint"
    barred: frozenset[str] = frozenset()
    if defined.is_snapshot:
        # R4's own integer and string have bounds on their value
        may_bound = is_profile or text_of(defined.resource, "kind") == "primitive-type"
        barred = _ON_ROOT if is_root else frozenset() if may_bound else _ON_TYPE
    elif is_profile and path != "Extension" and not path.endswith(".extension"):
        barred = frozenset({"meaningWhenMissing"})
    for key in element:
        if key in barred or any(key.startswith(name) and key[len(name) :][:1].isupper() for name in barred & _CHOICES):
            yield from found("validation.element-barred", element=key, path=path)
    if defined.is_snapshot and not is_root and not element.get("type") and "contentReference" not in element:
        yield from found("validation.element-typeless", path=path)


def _carrier_faults(element: JsonObject, codes: Sequence[str]) -> Iterator[Finding]:
    for name, carriers in CARRIERS.items():
        key = next((key for key in element if key == name or (name.endswith("Value") and key.startswith(name))), None)
        if key and codes and carriers.isdisjoint(codes):
            segment = key if key == name else f"{name}.ofType({key.removeprefix(name)})"
            yield from at(found("validation.element-carrier", element=key, types=listing(codes)), segment)


def value_faults(element: JsonObject, codes: Sequence[str]) -> Iterator[Finding]:
    """Yields where fixed, pattern and default values are of none of an element's types."""
    for name in ("fixed", "pattern", "defaultValue"):
        key = next((key for key in element if key.startswith(name) and key[len(name) : len(name) + 1].isupper()), None)
        if key is None or not codes:
            continue
        type_ = key.removeprefix(name)
        if type_ not in codes and type_[0].lower() + type_[1:] not in codes:
            fault = found("validation.element-value-type", element=key, expected=listing(codes))
            yield from at(fault, f"{name}.ofType({type_})")


def _type_faults(type_: JsonObject, element: JsonObject, defined: Defined) -> Iterator[Finding]:
    code = text_of(type_, "code")
    targets, profiles = type_.get("targetProfile"), type_.get("profile")
    if code in TARGETED and type(targets) is list:  # any other type has none: that is R4's eld-17
        yield from _target_faults(targets, defined.build)
    if code and type(profiles) is list:
        is_modifier = text_of(element, "path").endswith(".modifierExtension")
        for index, url in enumerate(profiles):
            if type(url) is str:
                yield from at(list(_profile_faults(url, code, is_modifier, defined.build)), index, "profile")


def _target_faults(targets: Sequence[object], build: Build) -> Iterator[Finding]:
    for index, url in enumerate(targets):
        structure = build.definitions.structure(url) if type(url) is str else None
        if structure is None:
            yield from at(warned("validation.element-profile-unknown", profile=shown(url)), index, "targetProfile")
        elif structure.kind != "resource":
            fault = found("validation.element-target-kind", profile=shown(url), found=structure.kind)
            yield from at(fault, index, "targetProfile")


def _profile_faults(url: str, code: str, is_modifier: bool, build: Build) -> Iterator[Finding]:
    structure = build.definitions.structure(url.partition("#")[0])
    if structure is None:
        yield from warned("validation.element-profile-unknown", profile=shown(url))
    elif not _is_a(structure.type, code, build):
        yield from found("validation.element-profile-type", profile=shown(url), found=structure.type, expected=code)
    elif structure.type == "Extension" and structure.elements and structure.elements[0].is_modifier != is_modifier:
        place = "extension" if is_modifier else "modifierExtension"
        yield from found("validation.element-profile-modifier", profile=shown(url), expected=place)


def _is_a(type_: str, code: str, build: Build) -> bool:
    """Tells whether a type is `code` or stands below it by abstract types alone, as a Patient does below Resource."""
    if type_ == code:
        return True
    name = build.definitions.model.parents.get(type_)
    while name in ("DomainResource", "Resource", "Element", "BackboneElement"):
        if name == code:
            return True
        name = build.definitions.model.parents.get(name)
    return False
