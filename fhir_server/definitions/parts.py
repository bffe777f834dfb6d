"""An element within a profile, as a definition of its own.

See https://hl7.org/fhir/R4/extension-elementdefinition-profile-element.html.
"""

from collections.abc import Sequence
from dataclasses import replace

from fhir_server.definitions.shapes import Element, StructureDefinition
from fhir_server.fhir.shapes import Canonical
from fhir_server.fhir.type_model import TypeModel

_WITHOUT_PATH = frozenset({"BackboneElement", "Element"})


def named_part(url: str, id_: str) -> str:
    """Returns how a canonical names an element within a profile: `url#id`, with the `|version` of the URL at its end."""
    plain, bar, version = url.partition("|")
    return f"{plain}#{id_}{bar}{version}"


def part_of(structure: StructureDefinition, id_: str, model: TypeModel) -> StructureDefinition | None:
    """Returns what a profile says of one element and all below it, as a profile on that element's type; None without it.

    Its URL is `url#id`, its type a data type or a path (`Questionnaire.item`).
    """
    element = next((one for one in structure.elements if one.id == id_), None)
    type_ = _type(element, model) if element else None
    if type_ is None:
        return None
    below = [one for one in structure.elements if one.id.startswith(id_ + ".")]
    elements = (_moved(one, len(id_), type_) for one in (element, *below) if one)
    url = Canonical(f"{structure.url}#{id_}")
    return replace(structure, url=url, type=type_, kind="complex-type", elements=tuple(elements))


def _moved(element: Element, length: int, type_: str) -> Element:
    below = element.id[length:]
    path = "".join(f".{step.partition(':')[0]}" for step in below.split(".")[1:])
    return replace(element, id=type_ + below, path=type_ + path, slice_name=element.slice_name if below else None)


def _type(element: Element, model: TypeModel) -> str | None:
    """Returns the type of an element: its own if it has one alone, else its path, recursions taken back."""
    codes = [one.code for one in element.types]
    if len(codes) == 1 and codes[0] not in _WITHOUT_PATH:
        return codes[0]
    root, *steps = element.path.split(".")
    return _walked(root, steps, model)


def _walked(type_: str, steps: Sequence[str], model: TypeModel) -> str | None:
    for step in steps:
        known = model.properties.get(type_, {}).get(step)
        if known is None:
            return None
        type_ = known.type
    return type_
