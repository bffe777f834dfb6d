"""Deterministic resource ids: UUID version 5 of source system, entity and key. https://www.rfc-editor.org/rfc/rfc9562#section-5.5."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha1

SEPARATOR = "\x1f"


def namespace_of(base: str, source: str) -> bytes:
    """Returns the 16 bytes that all ids of one source system are derived under: UUID5 of `{base}/sid/{source}`."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"{base}/sid/{source}").bytes


def derived_id(namespace: bytes, entity: str, key: Sequence[str]) -> str:
    """Returns the id of the entity with that key: the same inputs give the same id on every machine and run.

    It equals `uuid.uuid5(namespace, entity + key parts, joined by U+001F)`, without the cost of the UUID class.
    """
    name = SEPARATOR.join((entity, *key)).encode()
    digest = sha1(namespace + name, usedforsecurity=False).digest()[:16]
    text = digest.hex()
    variant = "89ab"[digest[8] >> 4 & 3]
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"


@dataclass(frozen=True, slots=True)
class Ids:
    """The ids of one source system, remembered while one record is mapped: a record names its resident twenty times."""

    namespace: bytes
    _known: dict[tuple[str, ...], str] = field(default_factory=dict)

    def of(self, entity: str, key: Sequence[str]) -> str:
        """Returns the derived id of an entity with that key."""
        name = (entity, *key)
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = derived_id(self.namespace, entity, key)
        return found
