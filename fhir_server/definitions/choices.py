"""Choices that are closed to their slices, https://hl7.org/fhir/R4/profiling.html#slicing."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from fhir_server.definitions.shapes import Element, TypeRef

_BY_TYPE = (("type", "$this"),)


def with_closed_choices(elements: Sequence[Element]) -> tuple[Element, ...]:
    """Returns the elements of a snapshot; a choice that is sliced by type, and closed, allows the types of its slices alone.

    A slice that leaves its type open leaves the choice as it is.
    """
    closed: Mapping[str, list[Element]] = {e.id: [] for e in elements if _is_closed(e)}
    if not closed:
        return tuple(elements)
    for element in elements:
        sliced = element.id.rpartition(":")[0]
        if element.slice_name and sliced in closed:
            closed[sliced].append(element)
    return tuple(_narrowed(e, closed.get(e.id, ())) for e in elements)


def _is_closed(element: Element) -> bool:
    slicing = element.slicing
    is_by_type = slicing is not None and slicing.rules == "closed" and slicing.discriminators == _BY_TYPE
    return is_by_type and element.id.endswith("[x]")


def _narrowed(element: Element, slices: Sequence[Element]) -> Element:
    codes = {type_.code for one in slices for type_ in one.types}
    types: tuple[TypeRef, ...] = tuple(type_ for type_ in element.types if type_.code in codes)
    return replace(element, types=types) if types and all(one.types for one in slices) else element
