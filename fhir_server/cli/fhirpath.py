"""`fhir-server fhirpath`."""

from pathlib import Path
from typing import Annotated

import typer

from fhir_server.cli.output import fail, neutral_json, read_bytes
from fhir_server.errors import FhirError
from fhir_server.fhir.shapes import JsonObject


def fhirpath(
    expression: Annotated[str, typer.Argument(help="A FHIRPath expression.")],
    file: Annotated[Path, typer.Argument(help="A resource as JSON or XML; - is standard input.")],
) -> None:
    """Evaluate a FHIRPath expression on a resource and print the results as JSON, one a line.

    Example: `fhir-server fhirpath "Patient.name.where(use = 'official').text" patient.json`
    """
    from fhir_server import fhirpath as engine
    from fhir_server.fhir.json_codec import encode

    try:
        resource = _decoded(read_bytes(file))
        results = engine.compile(expression, resource.get("resourceType")).evaluate(resource)
    except FhirError as error:
        fail("; ".join(i.text() for i in error.issues))
    except (engine.FhirPathError, engine.EvaluationError) as error:
        fail(f"{expression}: {error}{_pointed(expression, error.position)}")
    for result in results:
        typer.echo(neutral_json(encode(result).decode()))


def _decoded(data: bytes) -> JsonObject:
    from fhir_server.fhir import json_codec, xml_codec
    from fhir_server.fhirpath.model import r4_model

    is_xml = data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<"
    return xml_codec.decode(data, r4_model()) if is_xml else json_codec.decode(data)


def _pointed(expression: str, position: int | None) -> str:
    """The line of the expression with a mark below the place, where it is known."""
    if position is None:
        return ""
    before = expression[:position].rpartition("\n")[2]
    line = before + expression[position:].partition("\n")[0]
    return f"\n  {line}\n  {' ' * len(before)}^"
