"""The index rows of one version, as the tables hold them and as `res` remembers them."""

from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from fhir_server.search.rows import IndexEntries

Number: TypeAlias = int | float
Range: TypeAlias = tuple[str, Number, Number, str]
Text: TypeAlias = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Filed:
    """What is filed of one version: keys, ranges `(param, low, high, unit)`, texts `(param, normal, exact)`."""

    keys: tuple[str, ...]
    ranges: tuple[Range, ...]
    texts: tuple[Text, ...]
    sort_date: int


def nothing(sort_date: int) -> Filed:
    """Returns what is filed of a deletion."""
    return Filed((), (), (), sort_date)


def filed_of(index: IndexEntries) -> Filed:
    """Returns what is filed of these entries."""
    ranges = tuple((row.param, row.low, row.high, row.unit) for row in index.ranges)
    return Filed(index.keys, ranges, tuple((row.param, row.normal, row.exact) for row in index.texts), index.sort_date)


def packed(filed: Filed) -> tuple[str, bytes]:
    """Returns the columns `keys` (JSON, for the JSON functions of SQLite) and `rows` (MessagePack, exact numbers)."""
    keys = msgspec.json.encode(filed.keys).decode()
    return keys, msgspec.msgpack.encode((filed.ranges, filed.texts))


_KEYS = msgspec.json.Decoder(tuple[str, ...])
_ROWS = msgspec.msgpack.Decoder(tuple[tuple[Range, ...], tuple[Text, ...]])


def unpacked(keys: str, rows: bytes, sort_date: int) -> Filed:
    """Reads back what `packed` wrote."""
    ranges, texts = _ROWS.decode(rows)
    return Filed(_KEYS.decode(keys), ranges, texts, sort_date)
