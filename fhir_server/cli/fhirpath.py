"""`fhir-server fhirpath`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated
from unicodedata import east_asian_width

import typer

from fhir_server.cli.output import fail, language_of_environment, neutral_json, read_bytes
from fhir_server.errors import BadStructure, FhirError
from fhir_server.fhir.shapes import JsonObject


def fhirpath(
    expression: Annotated[str, typer.Argument(help="A FHIRPath expression.")],
    file: Annotated[Path, typer.Argument(help="Resources as JSON, XML or NDJSON; - is standard input.")],
) -> None:
    """Evaluate a FHIRPath expression on a resource, or on each of an NDJSON file, and print the results as JSON, one a line.

    Example: `fhir-server fhirpath "Patient.name.where(use = 'official').text" patient.json`
    """
    from fhir_server import fhirpath as engine
    from fhir_server.fhir.json_codec import encode

    language = language_of_environment()
    try:
        for resource in _resources(read_bytes(file)):
            for result in engine.compile(expression, resource.get("resourceType")).evaluate(resource):
                typer.echo(neutral_json(encode(result).decode()))
    except FhirError as error:
        fail("; ".join(i.text(language) for i in error.issues))
    except (engine.FhirPathError, engine.EvaluationError) as error:
        fail(f"{expression}: {error.issue().text(language)}{_pointed(expression, error.position)}")


def _resources(data: bytes) -> Iterator[JsonObject]:
    """Yields the resource of a text, or those of its lines; a text that is neither is told as what it begins like.

    Raises:
        BadStructure: not JSON, not XML, nor a line of JSON for each resource.
    """
    from fhir_server.fhir import json_codec, xml_codec
    from fhir_server.fhirpath.model import r4_model

    if data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<":
        yield xml_codec.decode(data, r4_model())
        return
    lines = [line for line in data.splitlines() if line.strip()]
    try:
        first = json_codec.decode(data)
    except BadStructure:
        if len(lines) < 2 or not _is_object(lines[0]):
            raise
        yield from map(json_codec.decode, lines)
    else:
        yield first


def _is_object(line: bytes) -> bool:
    from fhir_server.fhir import json_codec

    try:
        json_codec.decode(line)
    except BadStructure:
        return False
    return True


def _pointed(expression: str, position: int | None) -> str:
    """The line of the expression with a mark below the place, where it is known."""
    if position is None:
        return ""
    before = expression[:position].rpartition("\n")[2]
    line = before + expression[position:].partition("\n")[0]
    return f"\n  {line}\n  {' ' * _columns(before)}^"


def _columns(text: str) -> int:
    """The columns that a text takes in a terminal: a Chinese character takes two."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)
