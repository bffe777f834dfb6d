"""Findings as an OperationOutcome in two languages, https://hl7.org/fhir/R4/operationoutcome.html."""

import re
from collections.abc import Sequence

from fhir_server.errors import Issue, Language, Severity
from fhir_server.fhir.shapes import JsonObject

TRANSLATION = "http://hl7.org/fhir/StructureDefinition/translation"
LINE = "http://hl7.org/fhir/StructureDefinition/operationoutcome-issue-line"
COLUMN = "http://hl7.org/fhir/StructureDefinition/operationoutcome-issue-col"
KEY_SYSTEM = "http://jtys.example/fhir/CodeSystem/issue-key"
_ILLEGIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_TAGS: dict[Language, str] = {"en": "en", "zh": "zh-CN"}


def operation_outcome(issues: Sequence[Issue], language: Language = "en") -> JsonObject:
    """Builds the OperationOutcome of some findings.

    `details.text` is in the asked language, its translation extension has the other one, `details.coding` the stable
    key. A known place in the text is in two extensions, as numbers, and in `diagnostics`, to be read. No findings at all
    give the single "all ok".
    """
    found = issues or (_ALL_OK,)
    return {"resourceType": "OperationOutcome", "issue": [_entry(i, language) for i in found]}


def language_of(accept_language: str | None) -> Language:
    """Chooses the language of an `Accept-Language` header: Chinese when `zh` comes before `en`, else English."""
    wanted = (accept_language or "").lower()
    zh, en = wanted.find("zh"), wanted.find("en")
    return "zh" if zh >= 0 and (en < 0 or zh < en) else "en"


def _entry(issue: Issue, language: Language) -> JsonObject:
    other: Language = "zh" if language == "en" else "en"
    entry: JsonObject = {
        **_place(issue),
        "severity": issue.severity.value,
        "code": issue.code,
        "details": {
            "coding": [{"system": KEY_SYSTEM, "code": issue.key}],
            "text": _legible(issue.text(language)),
            "_text": {"extension": [_translation(_legible(issue.text(other)), other)]},
        },
    }
    if issue.line:
        entry["diagnostics"] = f"[{issue.line},{issue.column}]"
    if issue.path:
        entry["expression"] = [_legible(issue.path)]
    return entry


def _place(issue: Issue) -> JsonObject:
    if not issue.line:
        return {}
    places = ((LINE, issue.line), (COLUMN, issue.column))
    return {"extension": [{"url": url, "valueInteger": number} for url, number in places]}


def _legible(text: str) -> str:
    """Shows each character that no FHIR string may have as U+FFFD; sentences quote what clients sent."""
    return text if text.isprintable() else _ILLEGIBLE.sub("\ufffd", text)


def _translation(text: str, language: Language) -> JsonObject:
    parts = [{"url": "lang", "valueCode": _TAGS[language]}, {"url": "content", "valueString": text}]
    return {"extension": parts, "url": TRANSLATION}


_ALL_OK = Issue(
    severity=Severity.INFORMATION,
    code="informational",
    key="validation.all-ok",
    params={"en": "All OK: no findings.", "zh": "校验通过，没有发现问题。"},
)
