"""The index entries of one version, as `res` remembers them, so that an update takes back exactly what was filed."""

import msgspec

from fhir_server.search.rows import IndexEntries, RangeRow, TextRow


def nothing(sort_date: int) -> IndexEntries:
    """Returns what is filed of a deletion."""
    return IndexEntries((), (), (), sort_date)


def packed(filed: IndexEntries) -> tuple[str, bytes]:
    """Returns the columns `keys` (JSON, for the JSON functions of SQLite) and `rows` (MessagePack, exact numbers)."""
    return _JSON.encode(filed.keys).decode(), _PACK.encode((filed.ranges, filed.texts))


_JSON = msgspec.json.Encoder()
_PACK = msgspec.msgpack.Encoder()
_KEYS = msgspec.json.Decoder(tuple[str, ...])
_ROWS = msgspec.msgpack.Decoder(tuple[tuple[RangeRow, ...], tuple[TextRow, ...]])


def unpacked(keys: str, rows: bytes, sort_date: int) -> IndexEntries:
    """Reads back what `packed` wrote."""
    ranges, texts = _ROWS.decode(rows)
    return IndexEntries(_KEYS.decode(keys), ranges, texts, sort_date)
