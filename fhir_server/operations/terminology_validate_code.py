"""`ValueSet/$validate-code` and `CodeSystem/$validate-code`.

See https://hl7.org/fhir/R4/valueset-operation-validate-code.html and
https://hl7.org/fhir/R4/codesystem-operation-validate-code.html.
"""

from collections.abc import Callable, Sequence

from fhir_server.errors import InvalidRequest, MissingElement, issue
from fhir_server.fhir.json_codec import encode
from fhir_server.fhir.outcomes import language_of
from fhir_server.fhir.shapes import JsonObject
from fhir_server.interactions.context import Parts, Target
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.operations.terminology_input import Given, read_input
from fhir_server.operations.terminology_remote import answered
from fhir_server.operations.terminology_subject import Undecided, check_type, subject
from fhir_server.terminology.code_system import build_code_system
from fhir_server.terminology.grammars import GRAMMARS
from fhir_server.terminology.judging import Asked, Judgement, judge_in_system, judge_in_value_set
from fhir_server.terminology.languages import preferences

IN_VALUE_SET = (
    "url", "valueSet", "valueSetVersion", "code", "system", "systemVersion", "display", "coding", "codeableConcept",
    "abstract", "displayLanguage",
)  # fmt: skip
IN_CODE_SYSTEM = (
    "url", "codeSystem", "code", "version", "display", "coding", "codeableConcept", "abstract", "displayLanguage",
)  # fmt: skip
_WAYS = ("code", "coding", "codeableConcept")

Judge = Callable[[Asked], Judgement]


async def validate_code(parts: Parts, request: FhirRequest, target: Target) -> FhirResponse:
    """Returns Parameters with `result`, `message` and `display`; of a CodeableConcept one right coding is enough.

    Raises:
        MissingElement: no code.
        UnknownHere: no such value set or code system.
        Undecided: it cannot be told here.
    """
    check_type(request, target, "ValueSet", "CodeSystem")
    of_set = target.type == "ValueSet"
    given = read_input(parts, request, f"{target.type}-validate-code", IN_VALUE_SET if of_set else IN_CODE_SYSTEM)
    asked = _asked(given, "systemVersion" if of_set else "version")

    async def locally() -> JsonObject:
        languages = preferences(given.one("displayLanguage") or request.header("accept-language"))
        find = _judge_of_value_set if of_set else _judge_of_system
        judge = await find(parts, given, target, languages)
        found = [judge(one) for one in asked]
        return _answer(found, request)

    return FhirResponse(200, encode(await answered(parts, request, target, given, locally)))


def _asked(given: Given, version: str) -> Sequence[Asked]:
    """Returns the codings to judge.

    Raises:
        MissingElement: there is none.
        InvalidRequest: they are given in several ways.
    """
    ways = [name for name in _WAYS if given.one(name) is not None]
    if len(ways) > 1:
        raise InvalidRequest.of("terminology.subject-twice", ways[0], found=", ".join(ways))
    if ways == ["code"]:
        return [Asked(given.one("code"), given.one("system"), given.one(version), given.one("display"))]
    concept = given.one("codeableConcept") or {"coding": [given.one("coding") or {}]}
    codings = concept.get("coding")
    found = [_coding(one) for one in codings if _has_code(one)] if isinstance(codings, list) else []
    if not found:
        raise MissingElement.of("terminology.code-missing", (*ways, "code")[0], ways=", ".join(_WAYS))
    return found


def _has_code(coding: object) -> bool:
    return isinstance(coding, dict) and isinstance(coding.get("code"), str)


def _coding(coding: JsonObject) -> Asked:
    told = (coding.get(name) for name in ("system", "version", "display"))
    own, version, display = (one if isinstance(one, str) else None for one in told)
    return Asked(coding["code"], own, version, display)


async def _judge_of_value_set(parts: Parts, given: Given, target: Target, languages: Sequence[str]) -> Judge:
    value_set = await subject(parts, given, target, inline="valueSet", version=given.one("valueSetVersion"))
    abstract, may_infer = given.flag("abstract"), given.one("code") is not None
    local = parts.terminology

    def judge(asked: Asked) -> Judgement:
        if asked.system is None and not may_infer:
            return Judgement(result=False, issues=(issue("terminology.coding-without-system", code=asked.code),))
        return judge_in_value_set(local, value_set, asked, languages=languages, abstract=abstract)

    return judge


async def _judge_of_system(parts: Parts, given: Given, target: Target, languages: Sequence[str]) -> Judge:
    """A coding of another system than the one that the operation is about is wrong, whatever that system says."""
    url = given.one("url")
    abstract, local = given.flag("abstract"), parts.terminology
    if url is not None and url in GRAMMARS:
        return _guarded(url, lambda asked: judge_in_system(local, asked, languages=languages))
    if url is None and target.id is None and given.one("codeSystem") is None and given.one("code") is None:
        return lambda asked: judge_in_system(local, asked, languages=languages, abstract=abstract)
    resource = await subject(parts, given, target, inline="codeSystem")
    own = resource.get("url", "")
    system = None if url is not None else build_code_system({"url": own, **resource})
    version = resource.get("version") if url == f"{own}|{resource.get('version')}" else None
    return _guarded(
        own,
        lambda asked: judge_in_system(local, asked, languages=languages, abstract=abstract, system=system),
        version=version,
    )


def _guarded(url: str, judge: Judge, *, version: str | None = None) -> Judge:
    def guarded(asked: Asked) -> Judgement:
        if asked.system not in (None, url):
            differs = issue("terminology.system-differs", "coding.system", found=asked.system, expected=url)
            return Judgement(result=False, issues=(differs,))
        return judge(Asked(asked.code, url, asked.version or version, asked.display))

    return guarded


def _answer(found: Sequence[Judgement], request: FhirRequest) -> JsonObject:
    """Returns the Parameters of the judgements: right if one is, undecided if one may be.

    Raises:
        Undecided: none is right, and one cannot be told.
    """
    chosen = next((one for one in found if one.result), None)
    if chosen is None:
        open_ = [one for one in found if one.result is None]
        if open_:
            raise Undecided(*(i for one in open_ for i in one.issues))
        chosen = found[0]
    language = language_of(request.header("accept-language"))
    issues = chosen.issues if chosen.result else [i for one in found for i in one.issues]
    message = " ".join(i.text(language) for i in issues)
    parameters: list[JsonObject] = [{"name": "result", "valueBoolean": bool(chosen.result)}]
    for name, text in (("message", message), ("display", chosen.display)):
        if text:
            parameters.append({"name": name, "valueString": text})
    return {"resourceType": "Parameters", "parameter": parameters}
