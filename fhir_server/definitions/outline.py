"""The elements of a snapshot while it grows, in the order of their ids, https://hl7.org/fhir/R4/elementdefinition.html#id.

An id is a path whose segments may carry a slice: `Observation.component:systolic.value[x]`. The elements are JSON objects
that belong to the outline alone; what they hold is shared with the definitions they came from and never changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from fhir_server.fhir.shapes import JsonObject

MAX_ELEMENTS = 8_000
"""Most elements of one snapshot; the largest of R4's own has 256. It bounds what a hostile differential can grow."""


class SnapshotError(ValueError):
    """No snapshot can be made; `path` names the place in the definition, the text says why."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(reason)
        self.path = path


class UnknownElement(SnapshotError):
    """A differential names an element that its base does not have."""


@dataclass(frozen=True, slots=True)
class Outline:
    """The elements in order. Positions are indexes; they move when elements are added before them."""

    elements: list[JsonObject]

    def find(self, id_: str, start: int = 0) -> int | None:
        """Returns the position of an id, or None."""
        elements = self.elements
        return next((i for i in range(start, len(elements)) if elements[i]["id"] == id_), None)

    def end(self, position: int) -> int:
        """Returns the position behind an element and everything below it; its slices come after that."""
        return self._behind(position, (".",))

    def group_end(self, position: int) -> int:
        """Returns the position behind an element, everything below it, and its slices and re-slices."""
        return self._behind(position, (".", ":", "/"))

    def below(self, position: int) -> Sequence[JsonObject]:
        """Returns everything below an element, its slices excepted."""
        return self.elements[position + 1 : self.end(position)]

    def children(self, position: int) -> Sequence[JsonObject]:
        """Returns the elements right below an element, slices of them included."""
        depth = self.elements[position]["id"].count(".") + 1
        return [e for e in self.below(position) if e["id"].count(".") == depth]

    def insert(self, position: int, elements: Sequence[JsonObject]) -> None:
        """Puts elements before a position.

        Raises:
            SnapshotError: the outline has too many elements then.
        """
        if len(self.elements) + len(elements) > MAX_ELEMENTS:
            raise SnapshotError(
                "StructureDefinition.differential", f"the snapshot has more than {MAX_ELEMENTS} elements"
            )
        self.elements[position:position] = elements

    def rename(self, position: int, slice_name: str) -> None:
        """Gives an element that is not sliced the name of a slice, in its id and in those below it."""
        root = self.elements[position]
        named = root | {"id": f"{root['id']}:{slice_name}", "sliceName": slice_name}
        end = self.end(position)
        below = moved(self.elements[position + 1 : end], root, named)
        self.elements[position:end] = [named, *below]

    def _behind(self, position: int, joints: tuple[str, ...]) -> int:
        id_ = self.elements[position]["id"]
        starts = tuple(id_ + joint for joint in joints)
        end = position + 1
        while end < len(self.elements) and self.elements[end]["id"].startswith(starts):
            end += 1
        return end


def moved(elements: Sequence[JsonObject], root: JsonObject, to: JsonObject) -> list[JsonObject]:
    """Returns copies of what stands below `root` as standing below `to`."""
    id_length, path_length = len(root["id"]), len(root["path"])
    return [{**e, "id": to["id"] + e["id"][id_length:], "path": to["path"] + e["path"][path_length:]} for e in elements]
