"""What R4's snapshots say to people, https://hl7.org/fhir/R4/elementdefinition-definitions.html; read when asked for.

Only `$snapshot` needs it: R4 wants `definition` and `base` in every element of a snapshot (sdf-3, sdf-8b).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from fhir_server.definitions.differentials import Snapshots
from fhir_server.definitions.facts import snapshot, unpack
from fhir_server.fhir.shapes import JsonObject


class _File(msgspec.Struct, frozen=True):
    texts: tuple[str, ...]
    structures: dict[str, msgspec.Raw]


@dataclass(frozen=True, slots=True)
class Documentation:
    """Short and long definitions, bases and reasons of R4's own elements. About 2 MB; nobody keeps it."""

    texts: Sequence[str]
    rows: Mapping[str, msgspec.Raw]

    def snapshot(self, url: str) -> JsonObject | None:
        """Returns one of R4's own StructureDefinitions with its snapshot, documented, or None."""
        resource = snapshot(url)
        if resource is not None:
            rows = msgspec.json.decode(self.rows[url], type=list[tuple[int, ...]])
            elements = resource["snapshot"]["element"]
            resource["snapshot"] = {"element": [self._told(*pair) for pair in zip(elements, rows, strict=True)]}
        return resource

    def _told(self, element: JsonObject, row: Sequence[int]) -> JsonObject:
        short, definition, base, *reason = (self.texts[number] for number in row)
        path, least, most = base.split()
        told = {"short": short, "definition": definition, "base": {"path": path, "min": int(least), "max": most}}
        return element | told | ({"isModifierReason": reason[0]} if reason else {})


def read_documentation() -> Documentation:
    """Returns the documentation of R4's own elements. Cost: about 10 ms."""
    file = msgspec.json.decode(unpack("documentation.json.gz"), type=_File)
    return Documentation(file.texts, file.structures)


def documented(resource: JsonObject, snapshots: Snapshots) -> JsonObject:
    """Returns a StructureDefinition with the snapshot that its differential makes; without one it stays as it is.

    An element that nothing explains says its short text, or else its path, as its definition.

    Raises:
        SnapshotError: no snapshot can be made.
    """
    if not resource.get("differential"):
        return resource
    elements = snapshots.of({k: v for k, v in resource.items() if k != "snapshot"})
    return resource | {"snapshot": {"element": [_explained(e) for e in elements]}}


def _explained(element: JsonObject) -> JsonObject:
    path = element["path"]
    base = {"path": path, "min": element["min"], "max": element["max"]}
    return {"definition": element.get("short", path), "base": base} | element
