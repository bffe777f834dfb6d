"""JSON files -> rows: an array of objects, an object around one array, or one object a line. https://www.rfc-editor.org/rfc/rfc8259."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from fhir_server.errors import Issue, issue
from fhir_server.mapping.findings import at_row, shown
from fhir_server.mapping.record import RowRef
from fhir_server.mapping.sources.encodings import Encoding
from fhir_server.mapping.sources.rows import FileRefused, SourceFile, SourceRow

_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_RAW_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_RAW_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ENCODER = msgspec.json.Encoder(decimal_format="number")


def open_json(path: Path, encoding: Encoding) -> SourceFile:
    """Returns the file with the names of its first object; objects are taken apart as they are asked for.

    Raises:
        FileRefused: neither JSON nor one object a line, or an object without exactly one array of objects.
    """
    rows = _by_line if _is_by_line(path, encoding) else _by_element
    header = next((r.header for r in rows(path, encoding) if r.header), None)
    if header is None:
        raise FileRefused(issue("mapping.json-file", file=path.name, reason="there is no object in it"))
    return SourceFile(path.name, encoding.name, header, lambda: rows(path, encoding))


def _is_by_line(path: Path, encoding: Encoding) -> bool:
    with path.open(encoding=encoding.codec) as file:
        first = next((line for line in file if line.strip()), "")
        rest = next((line for line in file if line.strip()), "")
    if not first.lstrip().startswith("{") or not rest:
        return path.suffix.lower() == ".ndjson"
    try:
        _DECODER.decode(first)
    except msgspec.DecodeError:
        return False
    return True


def _by_line(path: Path, encoding: Encoding) -> Iterator[SourceRow]:
    with path.open(encoding=encoding.codec) as file:
        for number, text in enumerate(file, 1):
            ref = RowRef(path.name, number, number, "")
            yield _row(ref, text.encode()) if text.strip() else SourceRow(ref.file, number, number, (), ())


def _by_element(path: Path, encoding: Encoding) -> Iterator[SourceRow]:
    content = path.read_bytes() if encoding.codec == "utf-8" else path.read_text(encoding.codec).encode()
    try:
        elements = _elements(content)
    except msgspec.DecodeError as error:
        raise FileRefused(issue("mapping.json-file", file=path.name, reason=str(error))) from None
    for number, raw in enumerate(elements, 1):
        yield _row(RowRef(path.name, number, 0, ""), raw)


def _elements(content: bytes) -> list[msgspec.Raw]:
    """The records of an array, of the single array of an object, or the object itself when it holds none."""
    if content.lstrip()[:1] != b"{":
        return _RAW_LIST.decode(content)
    members = _RAW_MEMBERS.decode(content)
    if twice := _twice(content, members):
        msg = f"the key {twice[0]!r} stands twice"
        raise msgspec.DecodeError(msg)
    arrays = [raw for raw in members.values() if bytes(raw).lstrip()[:1] == b"["]
    if len(arrays) != 1:
        msg = f"an object with one array of records is expected, this one has {len(arrays)}"
        raise msgspec.DecodeError(msg)
    return _RAW_LIST.decode(arrays[0])


def _row(ref: RowRef, raw: msgspec.Raw | bytes) -> SourceRow:
    try:
        decoded = _DECODER.decode(raw)
    except msgspec.DecodeError as error:
        return SourceRow(ref.file, ref.row, ref.line, (), (), at_row("mapping.json-row", ref, reason=str(error)))
    if not isinstance(decoded, dict):
        return SourceRow(ref.file, ref.row, ref.line, (), (), at_row("mapping.json-row", ref, reason="not an object"))
    flat = dict(_flat(decoded, ""))
    if twice := _twice(bytes(raw), decoded):
        return SourceRow(ref.file, ref.row, ref.line, tuple(flat), (), _said_twice(ref, *twice))
    return SourceRow(ref.file, ref.row, ref.line, tuple(flat), tuple(flat.values()))


def _twice(text: bytes, decoded: Any) -> tuple[str, Any, Any] | None:
    """A key of some object that stands there twice with different values, and these; None for nearly every text.

    Each key has a colon, so a text that lost one is longer by it than what was read; colons in strings are on both sides.
    """
    if text.count(b":") == _ENCODER.encode(decoded).count(b":") and b"\\u003" not in text:
        return None
    found: list[tuple[str, Any, Any]] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in items:
            if values.setdefault(key, value) != value:
                found.append((key, values[key], value))
        return values

    json.loads(text, object_pairs_hook=pairs, parse_float=Decimal)
    return found[0] if found else None


def _said_twice(ref: RowRef, key: str, first: Any, second: Any) -> Issue:
    return at_row("mapping.json-key-twice", ref, column=shown(key), value=shown(f"{first} / {second}"))


def _flat(value: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if isinstance(item, dict):
            yield from _flat(item, f"{prefix}{key}.")
        else:
            yield prefix + key, item
