"""Deterministic resource ids: UUID version 5 of source system, entity and key. https://www.rfc-editor.org/rfc/rfc9562#section-5.5."""

import uuid
from collections.abc import Sequence
from hashlib import sha1

SEPARATOR = "\x1f"
_VARIANT = {f"{n:x}": "89ab"[n & 3] for n in range(16)}


def namespace_of(base: str, source: str) -> bytes:
    """Returns the 16 bytes that all ids of one source system are derived under: UUID5 of `{base}/sid/{source}`."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"{base}/sid/{source}").bytes


def derived_id(namespace: bytes, entity: str, key: Sequence[str]) -> str:
    """Returns the id of the entity with that key: the same inputs give the same id on every machine and run.

    It equals `uuid.uuid5(namespace, entity + key parts, joined by U+001F)`, without the cost of the UUID class.
    """
    return id_of(id_prefix(namespace, entity) + SEPARATOR.join(key).encode())


def id_prefix(namespace: bytes, entity: str) -> bytes:
    """Returns what the id of every such entity is derived from, before the parts of its key."""
    return namespace + (entity + SEPARATOR).encode()


def id_of(content: bytes) -> str:
    """Returns the UUID version 5 of a namespace and name that stand one behind the other."""
    text = sha1(content, usedforsecurity=False).hexdigest()
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"
