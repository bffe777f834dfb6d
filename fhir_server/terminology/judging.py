"""Whether a coding is right: a code of its system, in a value set, with a right display, active.

See https://hl7.org/fhir/R4/valueset-operation-validate-code.html. `result` is None where it cannot be told here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from fhir_server.errors import Issue, Severity, issue
from fhir_server.fhir.shapes import JsonObject
from fhir_server.terminology.code_system import CodeSystem
from fhir_server.terminology.compose import Gap
from fhir_server.terminology.grammars import GRAMMARS
from fhir_server.terminology.local import LocalTerminology
from fhir_server.terminology.naming import Named, display_of, is_name


@dataclass(frozen=True, slots=True)
class Asked:
    """A coding to be judged. Without a system, the value set's own systems are tried."""

    code: str
    system: str | None = None
    version: str | None = None
    display: str | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """The answer: `result`, the display that the code should have, and what there is to say about it.

    The issues of a False are errors; those of a True are warnings; those of a None say why it cannot be told.
    """

    result: bool | None
    display: str | None = None
    issues: tuple[Issue, ...] = ()


def judge_in_system(
    local: LocalTerminology,
    asked: Asked,
    *,
    languages: Sequence[str] = (),
    abstract: bool = False,
    system: CodeSystem | None = None,
) -> Judgement:
    """Judges a code in its code system, or in `system`; `abstract` allows codes that only group others.

    Returns None as the result for a system that is not here, or a code that an incomplete one does not list.
    """
    url = asked.system or ""
    grammar = None if system else GRAMMARS.get(url)
    if grammar is not None:
        return _grammatical(
            asked, is_code=grammar.is_code(asked.code), display=grammar.display(asked.code, "".join(languages[:1]))
        )
    system = system or local.system(f"{url}|{asked.version}" if asked.version else url)
    if system is None or not (system.concepts or system.is_complete):
        return Judgement(None, issues=(issue("terminology.system-unknown", system=url),))
    concept = system.find(asked.code)
    if concept is None and not system.is_complete:
        content = system.facts.get("content")
        return Judgement(None, issues=(issue("terminology.system-incomplete", system=url, content=content),))
    if concept is None:
        return Judgement(result=False, issues=(_unknown_code(asked, url),))
    return _judged(local, asked, Named(concept, None, system.language), (system, languages), abstract=abstract)


def judge_in_value_set(
    local: LocalTerminology,
    value_set: JsonObject,
    asked: Asked,
    *,
    languages: Sequence[str] = (),
    abstract: bool = False,
) -> Judgement:
    """Judges a code in a ValueSet resource; `abstract` allows codes that only group others."""
    pair = local.find(value_set, asked.system, asked.code, asked.version)
    if isinstance(pair, Gap):
        return Judgement(None, issues=(issue(pair.key, **pair.params),))
    if pair is None:
        return Judgement(result=False, issues=_outside(local, value_set, asked))
    if pair.system in GRAMMARS:
        display = GRAMMARS[pair.system].display(pair.code, "".join(languages[:1]))
        return Judgement(result=True, display=display)
    own = local.own_of(value_set, pair, asked.version)
    system = local.composer.system_of(pair, own)
    named = Named(system.find(pair.code) if system else None, own, system.language if system else None)
    return _judged(local, asked, named, (system, languages), abstract=abstract)


def _grammatical(asked: Asked, *, is_code: bool, display: str | None) -> Judgement:
    """A grammar has no official displays, so any is right."""
    return Judgement(is_code, display, () if is_code else (_unknown_code(asked, asked.system or ""),))


def _judged(
    local: LocalTerminology, asked: Asked, named: Named, by: tuple[CodeSystem | None, Sequence[str]], *, abstract: bool
) -> Judgement:
    """Judges a code by its system, if that is here, for a reader of these languages."""
    system, languages = by
    display, concept = display_of(named, languages), named.concept
    if concept is not None and concept.is_abstract and not abstract:
        return Judgement(result=False, display=display, issues=(issue("terminology.abstract", code=asked.code),))
    if asked.display is not None and display is not None and not is_name(asked.display, named):
        wrong = issue("terminology.display-wrong", found=asked.display, code=asked.code, expected=display)
        return Judgement(result=False, display=display, issues=(wrong,))
    return Judgement(result=True, display=display, issues=_warnings(local, asked, named, system))


def _warnings(local: LocalTerminology, asked: Asked, named: Named, system: CodeSystem | None) -> tuple[Issue, ...]:
    found = []
    if named.concept is not None and named.concept.is_inactive:
        found.append(issue("terminology.inactive", severity=Severity.WARNING, code=asked.code))
    if system is not None and asked.version not in (None, system.version):
        told = {"system": system.url, "version": asked.version, "found": system.version or "-"}
        other = local.system(f"{system.url}|{asked.version}")
        key = (
            "terminology.version-other"
            if other is not None and other.version == asked.version
            else "terminology.version-differs"
        )
        found.append(issue(key, severity=Severity.WARNING, **told))
    return tuple(found)


def _outside(local: LocalTerminology, value_set: JsonObject, asked: Asked) -> tuple[Issue, ...]:
    name = value_set.get("url") or value_set.get("id") or "ValueSet"
    if asked.system is None:
        return (issue("terminology.not-in-its-systems", code=asked.code, url=name),)
    outside = issue("terminology.not-in-value-set", code=asked.code, system=asked.system, url=name)
    in_system = judge_in_system(local, Asked(asked.code, asked.system), abstract=True)
    return (outside, _unknown_code(asked, asked.system)) if in_system.result is False else (outside,)


def _unknown_code(asked: Asked, system: str) -> Issue:
    return issue("terminology.code-unknown", code=asked.code, system=system)
