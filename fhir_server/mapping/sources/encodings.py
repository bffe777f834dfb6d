"""Which encoding a file is in: BOM, else strict UTF-8, else strict GB18030. https://encoding.spec.whatwg.org/#gb18030."""

import codecs
from dataclasses import dataclass
from pathlib import Path

from fhir_server.errors import issue
from fhir_server.mapping.sources.rows import FileRefused

UTF8, UTF8_BOM, GB18030 = "UTF-8", "UTF-8 with BOM", "GB18030"
_CODECS = {UTF8: "utf-8", UTF8_BOM: "utf-8-sig", GB18030: "gb18030"}
_DECLARED = {"utf-8": UTF8, "utf8": UTF8, "utf-8-sig": UTF8_BOM, "gb18030": GB18030, "gbk": GB18030, "gb2312": GB18030}
ENCODINGS = ("auto", *_DECLARED)
"""The names that an encoding may be declared by."""
_OTHER_BOMS = ((codecs.BOM_UTF16_LE, "UTF-16"), (codecs.BOM_UTF16_BE, "UTF-16"))
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Encoding:
    """An encoding as reports name it, and Python's codec for it."""

    name: str
    codec: str


@dataclass(frozen=True, slots=True)
class _Failure:
    offset: int
    line: int


def find_encoding(path: Path, declared: str = "auto") -> Encoding:
    """Returns the encoding that every byte of the file fits.

    Reads the file once or twice in pieces of 1 MiB. GBK and GB2312 are read as GB18030, which contains them.

    Raises:
        FileRefused: the bytes do not fit the declared encoding (the one found is named), or none at all (the first bad
            byte's offset and line are named).
        ValueError: `declared` is neither `auto` nor a known name.
    """
    found = _detect(path)
    wanted = _wanted(declared)
    if isinstance(found, _Failure):
        raise FileRefused(issue("mapping.encoding-unknown", file=path.name, offset=found.offset, at_line=found.line))
    if wanted and wanted != found and {wanted, found} != {UTF8, UTF8_BOM} and not _is_ascii(path):
        raise FileRefused(issue("mapping.encoding-mismatch", file=path.name, declared=declared, detected=found))
    chosen = wanted if wanted == GB18030 else found
    if chosen not in _CODECS:
        raise FileRefused(issue("mapping.encoding-mismatch", file=path.name, declared="UTF-8", detected=found))
    return Encoding(chosen, _CODECS[chosen])


def _wanted(declared: str) -> str | None:
    if declared == "auto":
        return None
    name = _DECLARED.get(declared.lower())
    if name is None:
        msg = f"encoding {declared!r} is unknown; known: {', '.join(ENCODINGS)}"
        raise ValueError(msg)
    return name


def _detect(path: Path) -> str | _Failure:
    with path.open("rb") as file:
        start = file.read(3)
    if start == codecs.BOM_UTF8:
        return UTF8_BOM if _first_failure(path, "utf-8-sig") is None else _failure(path, "utf-8-sig")
    for bom, name in _OTHER_BOMS:
        if start.startswith(bom):
            return name
    failed = _first_failure(path, "utf-8")
    if failed is None:
        return UTF8
    other = _first_failure(path, "gb18030")
    return GB18030 if other is None else max(failed, other, key=lambda failure: failure.offset)


def _failure(path: Path, codec: str) -> _Failure:
    failed = _first_failure(path, codec)
    assert failed is not None
    return failed


def _first_failure(path: Path, codec: str) -> _Failure | None:
    """Where strict decoding stops, or None when it does not; a byte sequence may span two pieces."""
    decoder = codecs.getincrementaldecoder(codec)("strict")
    offset, lines = 0, 1
    with path.open("rb") as file:
        while True:
            piece = file.read(_CHUNK_BYTES)
            pending = len(decoder.getstate()[0])
            try:
                decoder.decode(piece, final=not piece)
            except UnicodeDecodeError as error:
                at = max(error.start - pending, 0)
                return _Failure(offset + at, lines + piece[:at].count(b"\n"))
            if not piece:
                return None
            offset, lines = offset + len(piece), lines + piece.count(b"\n")


def _is_ascii(path: Path) -> bool:
    with path.open("rb") as file:
        return all(piece.isascii() for piece in iter(lambda: file.read(_CHUNK_BYTES), b""))
