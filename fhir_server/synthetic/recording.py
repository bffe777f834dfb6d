"""What a source system makes of a neutral record: its own states and channels, past history as lines. See docs/decisions/0002-mapping-language.md."""

from collections.abc import Callable, Mapping

from fhir_server.fhir.shapes import JsonObject
from fhir_server.mapping.dialect import Dialect

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
    """Returns a form record as a source system would hold it, or None when it would not hold it at all."""
    adapt = _ADAPTED.get((dialect.name, dialect.form.name))
    return record if adapt is None else adapt(record)


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
    lines = [_line("02", d["disease"], diagnosed=d.get("diagnosed")) for d in record.get("diseases", ())]
    for field, kind, says_none in _COUNTY_HISTORY:
        lines += [_line(kind, answer) for answer in record.get(field, ()) if says_none or answer != "1"]
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
