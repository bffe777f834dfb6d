"""Criteria of a Measure: the CQL definition that an expression names has to exist, https://hl7.org/fhir/R4/measure.html#9.17.4.2."""

import base64
from collections.abc import Callable, Sequence
from typing import NamedTuple
from xml.parsers import expat

from fhir_server.fhir.shapes import JsonObject
from fhir_server.validation.policy import Policy
from fhir_server.validation.report import Finding, Findings, shown, warned
from fhir_server.validation.rules.objects import objects, text_of
from fhir_server.validation.rules.severity import by_policy

CQL = frozenset({"text/cql", "text/cql.identifier", "text/cql-identifier"})
ELM = "urn:hl7-org:elm:r1"
_STATEMENTS = (f"{ELM} library", f"{ELM} statements")


class Library(NamedTuple):
    """A Library: what it defines, None without compiled CQL, or what is wrong with that."""

    name: str
    url: str
    defines: frozenset[str] | None
    fault: str = ""


def read_library(resource: JsonObject) -> Library:
    """Returns a Library with the names that its compiled CQL (`application/elm+xml`) defines."""
    name, url = text_of(resource, "name"), text_of(resource, "url")
    for _, content in objects(resource, "content"):
        if content.get("contentType") == "application/elm+xml":
            try:
                return Library(name, url, _defined(base64.b64decode(text_of(content, "data"))))
            except (expat.ExpatError, LookupError, ValueError) as error:
                return Library(name, url, None, str(error))
    return Library(name, url, None)


def _defined(elm: bytes) -> frozenset[str]:
    """Returns the names of the definitions of an ELM document.

    Raises:
        ExpatError: it is no well-formed XML.
        LookupError: its encoding is not known.
        ValueError: it is no ELM, or brings a document type of its own.
    """
    names: set[str] = set()
    around: list[str] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        if not around and tag != _STATEMENTS[0]:
            raise ValueError(f"the root is {tag}")
        if tuple(around) == _STATEMENTS and tag == f"{ELM} def":
            names.add(attributes.get("name", ""))
        around.append(tag)

    def refuse(*_: object) -> None:
        raise ValueError("a document type declaration")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: around.pop()
    parser.StartDoctypeDeclHandler = refuse
    parser.Parse(elm, True)
    return frozenset(names)


def build_criteria(
    libraries: Sequence[Library], policy: Policy, *, is_strict: bool
) -> Callable[[JsonObject], Findings | None]:
    """Returns the check of one expression; unless strict, it says nothing where the library is not at hand."""

    def check(criteria: JsonObject) -> Findings | None:
        language, expression = text_of(criteria, "language"), text_of(criteria, "expression")
        if not language or not expression:
            return None
        if language not in CQL:
            return warned("validation.measure-language", language=shown(language)) if is_strict else None
        if not is_strict and language == "text/cql":
            return None  # a whole expression, which names whatever it likes
        library, fault = _library(expression, libraries)
        fault = fault or (_defect(library, expression.partition(".")[2] or expression) if library else None)
        if fault is None or fault.key == "validation.measure-undefined":
            return None if fault is None else [fault]
        return [Finding(fault.key, fault.params, by_policy(policy))] if is_strict else None

    return check


def _library(expression: str, libraries: Sequence[Library]) -> tuple[Library | None, Finding | None]:
    """Returns the library that an expression means: the one that it names, or the only one."""
    if not libraries:
        return None, Finding("validation.measure-no-library", {"expression": shown(expression)})
    prefix, dot, _ = expression.partition(".")
    meant = [one for one in libraries if one.name == prefix] if dot else list(libraries)
    if len(meant) == 1:
        return meant[0], None
    params = {"expression": shown(expression), "found": len(meant)}
    return None, Finding("validation.measure-library-which", params)


def _defect(library: Library, name: str) -> Finding | None:
    """Returns what keeps an expression from naming a definition of a library."""
    if library.fault:
        return Finding("validation.measure-elm", {"url": library.url, "reason": shown(library.fault)})
    if library.defines is None:
        return Finding("validation.measure-no-elm", {"url": library.url})
    if name in library.defines:
        return None
    return Finding("validation.measure-undefined", {"url": library.url, "name": shown(name)})
