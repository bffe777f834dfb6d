"""Filers of single types, with nothing left to decide for each value: most of what resources are found by.

They file what the `rows` of their kind files, https://hl7.org/fhir/R4/search.html#ptypes. On a value that is not what its
type promises they raise one of `fhirpath.MALFORMED`; `rows` then looks again, with care.
"""

from collections.abc import Callable, Mapping
from typing import Any

from fhir_server.fhir.dates import DateError, range_of
from fhir_server.fhir.references import search_key
from fhir_server.search.filing import Filing
from fhir_server.search.kinds import date, labels, quantity, reference, token, uri
from fhir_server.search.normal import normalise
from fhir_server.search.rows import SEPARATOR, RangeRow

FileTyped = Callable[[Any, Filing], None]
Rows = Callable[[str, Any, str, Filing], None]


def typed_filer(code: str, rows: Rows, type_name: str) -> FileTyped:
    """Returns what files values of one FHIR type under the parameter `code`; `rows` is what files values of any type."""
    build = _BUILDERS.get((rows, type_name))
    return build(code) if build else lambda value, filing: rows(code, value, type_name, filing)


def _concept(code: str) -> FileTyped:
    def file(value: Any, filing: Filing) -> None:
        add = filing.keys.add
        text = value.get("text")
        if text is not None and (normal := normalise(text)):
            add(f"{code}:text={normal}")
        for coding in value.get("coding") or ():
            found, display = coding.get("code"), coding.get("display")
            if found is not None:
                add(f"{code}={found.lower()}{SEPARATOR}{coding.get('system') or ''}")
            if display is not None and display != text and (normal := normalise(display)):
                add(f"{code}:text={normal}")

    return file


def _pair(name: str, label: str, type_name: str) -> Callable[[str], FileTyped]:
    def build(code: str) -> FileTyped:
        def file(value: Any, filing: Filing) -> None:
            found, system = value.get(name), value.get("system")
            if found is not None:
                filing.keys.add(f"{code}={found.lower()}{SEPARATOR}{system if type(system) is str else ''}")
            if label in value:
                labels.rows(code, value, type_name, filing)

        return file

    return build


def _reference(code: str) -> FileTyped:
    def file(value: Any, filing: Filing) -> None:
        text = value.get("reference")
        if text is not None and not text.startswith("#"):
            filing.keys.add(f"{code}={search_key(text, filing.base_url)}")
        if "identifier" in value:
            reference.rows(code, {"identifier": value["identifier"]}, "Reference", filing)

    return file


def _uri(code: str) -> FileTyped:
    def file(value: Any, filing: Filing) -> None:
        url, mark, _ = value.partition("|")
        filing.keys.add(f"{code}={value}")
        if mark:
            filing.keys.add(f"{code}={url}")

    return file


def _plain_uri(code: str) -> FileTyped:
    def file(value: Any, filing: Filing) -> None:
        filing.keys.add(f"{code}=" + value)

    return file


def _date(code: str) -> FileTyped:
    def file(value: Any, filing: Filing) -> None:
        try:
            found = range_of(value, filing.zone)
        except DateError:
            return
        filing.ranges[RangeRow(code, found.low, found.high)] = None

    return file


def _quantity(code: str) -> FileTyped:
    def file(value: Any, filing: Filing) -> None:
        quantity.file_quantity(code, value, filing)

    return file


_BUILDERS: Mapping[tuple[Rows, str], Callable[[str], FileTyped]] = {
    (token.rows, "CodeableConcept"): _concept,
    (token.rows, "Coding"): _pair("code", "display", "Coding"),
    (token.rows, "Identifier"): _pair("value", "type", "Identifier"),
    (reference.rows, "Reference"): _reference,
    (uri.rows, "uri"): _plain_uri,
    (uri.rows, "canonical"): _uri,
    (date.rows, "date"): _date,
    (date.rows, "dateTime"): _date,
    (date.rows, "instant"): _date,
    (quantity.rows, "Quantity"): _quantity,
}
