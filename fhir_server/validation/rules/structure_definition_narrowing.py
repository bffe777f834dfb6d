"""A profile allows no more than its base: cardinality, types, bindings, slicing, invariants.

See https://hl7.org/fhir/R4/profiling.html#differential.
"""

from collections.abc import Iterator, Mapping

from fhir_server import fhirpath
from fhir_server.definitions.registry import Element, StructureDefinition
from fhir_server.fhir.shapes import JsonObject
from fhir_server.fhir.type_model import TypeModel
from fhir_server.fhirpath.errors import FhirPathError
from fhir_server.fhirpath.parser import parse
from fhir_server.validation.report import Finding, at, found, listing, shown
from fhir_server.validation.rules.objects import objects, text_of
from fhir_server.validation.rules.resolution import CORE
from fhir_server.validation.rules.structure_definition_element import TARGETED, Defined, value_faults

_ANY = frozenset({"Element", "BackboneElement", "Resource", "DomainResource"})
STRENGTHS = ("example", "preferred", "extensible", "required")
"""From the weakest to the strongest."""


def narrowing_faults(element: JsonObject, defined: Defined) -> Iterator[Finding]:
    """Yields where an element of a profile says something that its base does not allow."""
    base = _base_element(element, defined.base)
    if base is None:
        yield from _path_faults(element, defined)
        return
    yield from _cardinality_faults(element, base)
    yield from _type_faults(element, base)
    yield from _target_faults(element, base, defined)
    if "type" not in element:
        yield from value_faults(element, [one.code for one in base.types])
    yield from _binding_faults(element, base)
    yield from _constraint_faults(element, defined)
    yield from _discriminator_faults(element, base)
    if "slicing" in element and base.max == 1 and not base.path.endswith("[x]") and "." in base.path:
        yield from at(found("validation.slicing-single", path=base.path), "slicing")


def _base_element(element: JsonObject, base: StructureDefinition | None) -> Element | None:
    """Returns the base's element: the same slice, else the element that is sliced; None where it has none by itself."""
    if base is None:
        return None
    by_id = {one.id: one for one in base.elements}
    id_, path = text_of(element, "id"), text_of(element, "path")
    return by_id.get(id_) or by_id.get(path)


def _cardinality_faults(element: JsonObject, base: Element) -> Iterator[Finding]:
    least, most = element.get("min"), text_of(element, "max")
    is_slice = "sliceName" in element and base.slice_name is None
    if type(least) is int and least < base.min and not is_slice:
        yield from at(found("validation.narrow-min", found=least, base=base.min), "min")
    if most and base.max is not None and (most == "*" or (most.isdecimal() and int(most) > base.max)):
        yield from at(found("validation.narrow-max", found=most, base=base.max), "max")


def _type_faults(element: JsonObject, base: Element) -> Iterator[Finding]:
    allowed = {one.code for one in base.types}
    if not allowed or allowed & _ANY:
        return
    for index, one in objects(element, "type"):
        code = text_of(one, "code")
        if code and "/" not in code and code not in allowed:
            yield from at(found("validation.narrow-type", found=shown(code), expected=listing(allowed)), index, "type")


def _target_faults(element: JsonObject, base: Element, defined: Defined) -> Iterator[Finding]:
    """Checks that a reference leads to what the base lets it lead to, where the base names types of R4."""
    wanted = {url for one in base.types for url in one.targets}
    allowed = {url.removeprefix(CORE) for url in wanted}
    if not allowed or not allowed <= defined.build.definitions.model.resources:
        return
    for index, one in objects(element, "type"):
        listed = one.get("targetProfile") if text_of(one, "code") in TARGETED else None
        for number, url in enumerate(listed if type(listed) is list else ()):
            target = defined.build.definitions.structure(url) if type(url) is str else None
            if target is not None and target.kind == "resource" and target.type not in allowed:
                fault = found("validation.narrow-target", found=shown(url), expected=listing(allowed))
                yield from at(fault, number, "targetProfile", index, "type")


def _binding_faults(element: JsonObject, base: Element) -> Iterator[Finding]:
    binding = element.get("binding")
    strength = text_of(binding, "strength") if type(binding) is dict else ""
    if base.binding is None or strength not in STRENGTHS or base.binding.strength not in STRENGTHS:
        return
    if base.binding.strength == "required" and strength != "required":
        fault = found("validation.narrow-binding", found=strength, base=base.binding.strength)
        yield from at(fault, "strength", "binding")


def _discriminator_faults(element: JsonObject, base: Element) -> Iterator[Finding]:
    """Checks that each discriminator is a path from what is sliced: a type, or a backbone path of R4."""
    slicing = element.get("slicing")
    types = [text_of(one, "code") for _, one in objects(element, "type")] or [one.code for one in base.types]
    starts = [base.path if code in _ANY else code for code in types if "/" not in code]
    for index, one in objects(slicing, "discriminator") if type(slicing) is dict else ():
        path = text_of(one, "path")
        if path and starts and all(leads_nowhere(path, start) for start in starts):
            fault = found("validation.discriminator-path", path=shown(path), types=listing(starts))
            yield from at(fault, index, "discriminator", "slicing")


def leads_nowhere(path: str, start: str) -> bool:
    """Tells whether a FHIRPath names an element that the type at its start does not have; False where nobody can tell."""
    try:
        return bool(fhirpath.compile_once(path, start).unknown_elements())
    except FhirPathError:
        return True


def _constraint_faults(element: JsonObject, defined: Defined) -> Iterator[Finding]:
    elements = defined.base.elements if defined.base else ()
    known: Mapping[str, str] = {one.key: one.expression for base in elements for one in base.constraints}
    own = {
        text_of(defined.resource, "url"),
        f"{text_of(defined.resource, 'url')}|{text_of(defined.resource, 'version')}",
    }
    for index, one in objects(element, "constraint"):
        key, expression, source = (text_of(one, name) for name in ("key", "expression", "source"))
        faults: list[Finding] = []
        if source and source not in own:
            if not defined.is_snapshot:
                faults = found("validation.constraint-source", invariant=key, found=shown(source))
        elif key in known and expression and expression != known[key]:
            faults = found("validation.narrow-constraint", invariant=key)
        elif expression and not _is_fhirpath(expression):
            faults = found("validation.constraint-expression", invariant=key, expression=shown(expression))
        yield from at(faults, index, "constraint")


def _is_fhirpath(expression: str) -> bool:
    try:
        parse(expression)
    except FhirPathError:
        return False
    return True


def _path_faults(element: JsonObject, defined: Defined) -> Iterator[Finding]:
    """Checks that an element that the base does not list stands below one that it does."""
    path = text_of(element, "path")
    if path and not elements_exist(path, defined.build.definitions.model):
        yield from at(found("validation.element-unknown", path=shown(path)), "path")


def elements_exist(path: str, model: TypeModel) -> bool:
    """Tells whether a path (`Patient.name.family`, `Observation.value[x].code`) leads to an element of R4."""
    first, *rest = path.split(".")
    types = {first}
    if first not in model.properties:
        return True
    for step in rest:
        name = step.removesuffix("[x]")
        if types & _ANY or not types <= model.properties.keys():
            return True
        below = [(key, one) for type_ in types for key, one in model.properties[type_].items()]
        types = {one.type for key, one in below if name in (key, one.choice)}
        if not types:
            return False
    return True
