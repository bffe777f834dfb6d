"""What one source system makes of a neutral record: its own states, its own history lines, displays where it has no code. See docs/decisions/0002-mapping-language.md."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fhir_server.fhir.shapes import JsonObject
from fhir_server.mapping.codecs.codes import CodeReader
from fhir_server.mapping.dialect import Column, Dialect

# The county database has signed (1), dissolved (2), renewed (3) and waiting (4): an expired contract is a signed one whose
# last day has passed, a voided one is dissolved with the reason 发票作废. A refused application leaves no row.
_COUNTY_STATES = {"expired": "active", "doctor-applied": "resident-applied", "voided": "terminated"}
_COUNTY_CHANNELS = {"paper": "web", "import": "web"}
# Field of the form, kind of history line, and whether the answer 1 (无) is worth a line.
_COUNTY_HISTORY = (
    ("drugAllergy", "01", True),
    ("familyFather", "07", False),
    ("familyMother", "08", False),
    ("disability", "11", False),
)


def recorded(dialect: Dialect, record: JsonObject) -> JsonObject | None:
    """Returns a form record as a source system would hold it, or None when it would not hold it at all.

    Codes without counterpart in the dialect become the display text of their option, which every dialect reads.
    """
    adapt = _ADAPTED.get((dialect.name, dialect.form.name))
    adapted = record if adapt is None else adapt(record)
    if adapted is None:
        return None
    spelled = dict(adapted)
    for table in dialect.tables:
        if not table.group:
            spelled = _spelled(spelled, table.columns.values())
        elif table.group in adapted:
            spelled[table.group] = [_spelled(line, table.columns.values()) for line in adapted[table.group]]
    return spelled


def _spelled(values: JsonObject, columns: Iterable[Column]) -> JsonObject:
    changed: JsonObject = {}
    for column in columns:
        for target in column.targets:
            name = target.field.name
            if target.codes is not None and target.codes.own and not target.line and name in values:
                changed[name] = _spelled_code(target.codes, values[name])
    return values | changed


def _spelled_code(codes: CodeReader, value: Any) -> Any:
    if isinstance(value, list):
        return [_spelled_code(codes, item) for item in value]
    option = codes.field.options.get(value)
    is_known = option is None or any(meant.to == value for meant in codes.own.values())
    return value if is_known or option is None else option.display


def _county_contract(record: JsonObject) -> JsonObject | None:
    if record["status"] == "rejected":
        return None
    state, channel = record["status"], record["channel"]
    return record | {
        "status": _COUNTY_STATES.get(state, state),
        "channel": _COUNTY_CHANNELS.get(channel, channel),
        "residentMobile": record["residentPhone"],
    }


def _county_archive(record: JsonObject) -> JsonObject:
    lines = [_line("02", d["disease"], diagnosed=d.get("diagnosed")) for d in record["diseases"]]
    for field, kind, says_none in _COUNTY_HISTORY:
        lines += [_line(kind, answer) for answer in record[field] if says_none or answer != "1"]
    lines += [{"kind": "03", "text": s["item"], "start": s["date"]} for s in record.get("surgery", ())]
    numbered = [{"lineNo": f"{record['residentNo']}-{n}"} | line for n, line in enumerate(lines, 1)]
    return record | {"history": numbered}


def _line(kind: str, answer: str, *, diagnosed: str | None = None) -> JsonObject:
    """The county's items are the kind followed by the form's answer in two digits."""
    line: JsonObject = {"kind": kind, "item": f"{kind}{int(answer):02d}"}
    return line | ({"diagnosed": diagnosed} if diagnosed else {})


_ADAPTED: Mapping[tuple[str, str], Callable[[JsonObject], JsonObject | None]] = {
    ("chis", "contract"): _county_contract,
    ("chis", "personal-info"): _county_archive,
}
