"""What a commit asks about references: is what it needs there, and does anybody refer to what it deletes.

https://hl7.org/fhir/R4/http.html#integrity
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

import apsw
import msgspec

from fhir_server.fhir.shapes import ResourceId, ResourceType
from fhir_server.store.contract import MOST_REFERRERS, Delete, Key, Put, Write
from fhir_server.store.sqlite.clauses import texts
from fhir_server.store.sqlite.read import find_code


def alive_among(connection: apsw.Connection, keys: Iterable[Key], codes: Mapping[ResourceType, int]) -> set[Key]:
    """Returns those of the resources that are there and not deleted; `codes` are the numbers of the types that there are."""
    ids: dict[ResourceType, list[str]] = {}
    for key in keys:
        ids.setdefault(key.type, []).append(key.id)
    stored = ((type_, _alive_of(connection, codes[type_], ids[type_])) for type_ in ids if type_ in codes)
    return {Key(type_, id_) for type_, alive in stored for id_ in alive}


def _alive_of(connection: apsw.Connection, code: int, ids: Sequence[str]) -> list[ResourceId]:
    text = (
        "SELECT json_group_array(id) FROM res INDEXED BY res_id"
        " WHERE t = ? AND id IN (SELECT value FROM carray(?)) AND deleted = 0"
    )
    return _IDS.decode(connection.execute(text, (code, texts(ids))).get)


_IDS = msgspec.json.Decoder(list[ResourceId])


def find_referrers(connection: apsw.Connection, writes: Sequence[Write]) -> list[tuple[Key, Key]]:
    """Returns the first pairs of (referrer, deleted resource) that would be left by these writes of one commit."""
    wanted = _keys_by_type(writes)
    if not wanted:
        return []
    written = {write.key for write in writes}
    found = [pair for write in writes if isinstance(write, Put) for pair in _within(write, wanted)]
    for type_, targets in wanted.items():
        others = (pair for pair in _stored(connection, type_, targets) if pair[0] not in written)
        found.extend(islice(others, MOST_REFERRERS - min(len(found), MOST_REFERRERS)))
    return list(dict.fromkeys(found))[:MOST_REFERRERS]


def _keys_by_type(writes: Sequence[Write]) -> dict[ResourceType, dict[str, Key]]:
    """Returns, for each type that may refer, which index keys point at something that is deleted."""
    wanted: dict[ResourceType, dict[str, Key]] = {}
    for write in writes:
        if isinstance(write, Delete):
            for type_, parameters in write.ways:
                wanted.setdefault(type_, {}).update((f"{name}={write.key}", write.key) for name in parameters)
    return wanted


def _within(write: Put, wanted: dict[ResourceType, dict[str, Key]]) -> Iterator[tuple[Key, Key]]:
    targets = wanted.get(write.key.type, {})
    return ((write.key, targets[key]) for key in write.index.keys if key in targets)


def _stored(connection: apsw.Connection, type_: ResourceType, targets: dict[str, Key]) -> Iterator[tuple[Key, Key]]:
    code = find_code(connection, type_)
    if code is None or not targets:
        return
    text = (
        "SELECT k.value, res.id FROM carray(?) AS k CROSS JOIN tok ON tok.t = ? AND tok.k = k.value"
        " CROSS JOIN res ON res.rid = tok.rid"
    )
    for key, id_ in connection.execute(text, (texts(list(targets)), code)):
        yield Key(type_, ResourceId(id_)), targets[key]
