"""How values of single types are filed, as Python source with nothing left to decide for each value.

It files what the `rows` of its kind files, https://hl7.org/fhir/R4/search.html#ptypes. On a value that is not what its
type promises it raises one of `fhirpath.MALFORMED`; `rows` then looks again, with care.
"""

from collections.abc import Callable, Mapping
from typing import Any

from fhir_server.fhir.dates import DateError, range_of
from fhir_server.fhir.references import search_key
from fhir_server.search.filing import Filing
from fhir_server.search.kinds import date, labels, quantity, reference, token, uri
from fhir_server.search.normal import normalise
from fhir_server.search.rows import LABEL, SEPARATOR, RangeRow

Rows = Callable[[str, Any, str, Filing], None]

RUNTIME: Mapping[str, Any] = {
    "DateError": DateError,
    "RangeRow": RangeRow,
    "SEPARATOR": SEPARATOR,
    "file_known": quantity.file_known,
    "file_label": labels.rows,
    "file_reference": reference.rows,
    "normalise": normalise,
    "range_of": range_of,
    "search_key": search_key,
}
"""What the source may call, beside `filing`, `keys` and `ranges` (those of the filing) and its own constants."""

CONSTANTS: Mapping[str, Callable[[str], str]] = {
    "PARAM": lambda code: code,
    "NAMED": lambda code: f"{code}=",
    "LABELLED": lambda code: f"{code}{LABEL}=",
}
"""Names in the source that stand for a text of the parameter; VALUE stands for the variable that has the value."""

_CONCEPT = """\
text = VALUE.get("text")
if text is not None and (normal := normalise(text)):
    keys.add(LABELLED + normal)
for coding in VALUE.get("coding") or ():
    code, display = coding.get("code"), coding.get("display")
    if code is not None:
        keys.add(f"{NAMED}{code.lower()}{SEPARATOR}{coding.get('system') or ''}")
    if display is not None and display != text and (normal := normalise(display)):
        keys.add(LABELLED + normal)
"""

_CODING = """\
code, system = VALUE.get("code"), VALUE.get("system")
if code is not None:
    keys.add(f"{NAMED}{code.lower()}{SEPARATOR}{system if type(system) is str else ''}")
if "display" in VALUE:
    file_label(PARAM, VALUE, "Coding", filing)
"""

_IDENTIFIER = """\
code, system = VALUE.get("value"), VALUE.get("system")
if code is not None:
    keys.add(f"{NAMED}{code.lower()}{SEPARATOR}{system if type(system) is str else ''}")
if "type" in VALUE:
    file_label(PARAM, VALUE, "Identifier", filing)
"""

_REFERENCE = """\
text = VALUE.get("reference")
if text is not None and not text.startswith("#"):
    if text.startswith("http") or "/_history/" in text:
        text = search_key(text, filing.base_url)
    keys.add(NAMED + text)
    filing.referred.add(text)
if "identifier" in VALUE:
    file_reference(PARAM, {"identifier": VALUE["identifier"]}, "Reference", filing)
"""

_CANONICAL = """\
url, mark, _ = VALUE.partition("|")
keys.add(NAMED + VALUE)
if mark:
    keys.add(NAMED + url)
"""

_URI = "keys.add(NAMED + VALUE)\n"

_DATE = """\
try:
    found = range_of(VALUE, filing.zone)
except DateError:
    pass
else:
    ranges[RangeRow(PARAM, found.low, found.high)] = None
"""

_TEXT = "keys.add(NAMED + VALUE.lower() + SEPARATOR)\n"

_QUANTITY = "file_known(PARAM, VALUE, filing)\n"

_SOURCES: Mapping[tuple[Rows, str], str] = {
    (token.rows, "CodeableConcept"): _CONCEPT,
    (token.rows, "Coding"): _CODING,
    (token.rows, "Identifier"): _IDENTIFIER,
    **{(token.rows, type_): _TEXT for type_ in ("code", "string", "id")},
    (reference.rows, "Reference"): _REFERENCE,
    (uri.rows, "uri"): _URI,
    (uri.rows, "canonical"): _CANONICAL,
    **{(date.rows, type_): _DATE for type_ in ("date", "dateTime", "instant")},
    (quantity.rows, "Quantity"): _QUANTITY,
}


def find_source(rows: Rows, type_name: str) -> str | None:
    """Returns the source that files a value of one FHIR type as `rows` does; None where that is left to `rows`."""
    return _SOURCES.get((rows, type_name))
