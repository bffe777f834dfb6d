"""Source files -> rows, whatever their encoding and format. See docs/decisions/0002-mapping-language.md."""

from pathlib import Path

from fhir_server.errors import issue
from fhir_server.mapping.sources.csv_file import open_csv
from fhir_server.mapping.sources.encodings import ENCODINGS, find_encoding
from fhir_server.mapping.sources.json_file import open_json
from fhir_server.mapping.sources.rows import FileRefused, SourceFile, SourceRow

_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # .xlsx, .xls

__all__ = ["ENCODINGS", "FileRefused", "SourceFile", "SourceRow", "open_source"]


def open_source(path: Path, *, encoding: str = "auto") -> SourceFile:
    """Returns a source file ready to be read; JSON when it starts with a bracket or brace, else CSV.

    Raises:
        FileRefused: missing, unreadable, empty, a workbook, in another encoding than declared or in none, or JSON that cannot be read.
        ValueError: the name of the encoding is unknown.
    """
    try:
        return _opened(path, encoding)
    except OSError as error:
        raise FileRefused(issue("mapping.file-unreadable", file=path.name, reason=error.strerror)) from error


def _opened(path: Path, encoding: str) -> SourceFile:
    if not path.exists():
        raise FileRefused(issue("mapping.file-missing", file=path.name))
    with path.open("rb") as file:
        if file.read(4) in _WORKBOOKS:
            raise FileRefused(issue("mapping.spreadsheet-file", file=path.name))
    found = find_encoding(path, encoding)
    with path.open(encoding=found.codec) as file:
        start = next((line.lstrip()[:1] for line in file if line.strip()), "")
    if not start:
        raise FileRefused(issue("mapping.file-empty", file=path.name))
    return open_json(path, found) if start in "[{" else open_csv(path, found)
