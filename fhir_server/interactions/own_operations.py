"""OperationDefinitions of the operations that R4 does not define, https://hl7.org/fhir/R4/operationdefinition.html.

They are `conformance/operations/<name>.json`, the same for every store, and are read from memory.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache, lru_cache

from fhir_server.data_files import data_folder
from fhir_server.definitions.registry import Definitions
from fhir_server.fhir.json_codec import decode
from fhir_server.fhir.shapes import JsonObject, ResourceId, ResourceType, VersionId
from fhir_server.interactions.context import Parts
from fhir_server.interactions.shelf import Shelf, indexed, on_shelf
from fhir_server.interactions.write_plan import body_with_meta
from fhir_server.search.extract import Extractor
from fhir_server.store.contract import Key

TYPE = ResourceType("OperationDefinition")


@cache
def own_operations(base: str) -> Mapping[str, JsonObject]:
    """Returns the server's own OperationDefinitions by their names; `base` is the canonical base of their URLs."""
    files = sorted((data_folder("conformance") / "operations").glob("*.json"))
    return {file.stem: decode(file.read_bytes().replace(b"{B}", base.encode())) for file in files}


def at_their_place(parts: Parts, type_: str) -> Parts:
    """Returns the parts for interactions with a type: OperationDefinitions are not in the store."""
    return replace(parts, store=_shelf(parts.definitions, parts.extractor)) if type_ == TYPE else parts


@lru_cache(maxsize=2)
def _shelf(definitions: Definitions, extractor: Extractor) -> Shelf:
    kept = []
    for name, resource in own_operations(definitions.base).items():
        key = Key(TYPE, ResourceId(name))
        at = datetime.fromisoformat(resource["date"]).replace(tzinfo=UTC)
        version = on_shelf(key, body_with_meta(resource, key, VersionId(1), at), at)
        kept.append((version, indexed(extractor, version, resource)))
    return Shelf(kept)
