"""Findings as an OperationOutcome: places as numbers and as text, and text that every FHIR string may be."""

from fhir_server.errors import Issue, Severity
from fhir_server.fhir.outcomes import COLUMN, LINE, operation_outcome


def entry(**changes: object):
    facts = {"severity": Severity.ERROR, "code": "value", "key": "x-1", "params": {"en": "wrong", "zh": "错误"}}
    (made,) = operation_outcome([Issue(**{**facts, **changes})])["issue"]
    return made


def test_a_place_is_told_as_numbers_and_as_text():
    made = entry(line=7, column=12)
    assert made["extension"] == [{"url": LINE, "valueInteger": 7}, {"url": COLUMN, "valueInteger": 12}]
    assert made["diagnostics"] == "[7,12]"


def test_an_unknown_place_is_not_told():
    assert {"extension", "diagnostics", "expression"}.isdisjoint(entry())


def test_characters_that_no_string_may_have_are_shown_as_such():
    made = entry(params={"en": "found 'a\x00\ud800'\n", "zh": "实际为\x1b"}, path="Patient.\x01")
    assert made["details"]["text"] == "found 'a\ufffd\ufffd'\n"
    translation = made["details"]["_text"]["extension"][0]["extension"][1]
    assert translation == {"url": "content", "valueString": "实际为\ufffd"}
    assert made["expression"] == ["Patient.\ufffd"]
