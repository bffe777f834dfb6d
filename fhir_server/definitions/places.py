"""Element ids of a differential, made where they are missing, https://hl7.org/fhir/R4/elementdefinition.html#id."""

from collections.abc import Iterator, Sequence

from fhir_server.definitions.outline import SnapshotError
from fhir_server.fhir.shapes import JsonObject

_PLACE = "StructureDefinition.differential.element"

MAX_DEPTH = 20
"""Most levels below the root of an element; the deepest of R4's own has 5."""


def with_ids(differential: Sequence[JsonObject]) -> Iterator[JsonObject]:
    """Yields the elements of a differential, each with an id: its own, or its path with the slices it stands in.

    Raises:
        SnapshotError: an element has no path, or is too deep.
    """
    segments: list[str] = []
    for index, element in enumerate(differential):
        path = element.get("path") if isinstance(element, dict) else None
        if not isinstance(path, str) or not path:
            raise SnapshotError(f"{_PLACE}[{index}]", "path is missing")
        id_ = element.get("id") or ".".join(_segments(path.split("."), element.get("sliceName"), segments))
        segments = id_.split(".")
        if len(segments) > MAX_DEPTH:
            raise SnapshotError(f"{_PLACE}[{index}]", f"the element is more than {MAX_DEPTH} levels deep")
        yield {**element, "id": id_}


def _segments(names: Sequence[str], slice_name: str | None, before: Sequence[str]) -> Iterator[str]:
    """Yields the segments of an id: an ancestor that the element before stands in, slice included, goes on."""
    is_same = True
    for depth, name in enumerate(names[:-1]):
        is_same = is_same and depth < len(before) and before[depth].partition(":")[0] == name
        yield before[depth] if is_same else name
    yield f"{names[-1]}:{slice_name}" if slice_name else names[-1]
