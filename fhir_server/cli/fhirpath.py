"""`fhir-server fhirpath`."""

from pathlib import Path
from typing import Annotated

import typer

from fhir_server.cli.output import fail, read_bytes
from fhir_server.errors import FhirError


def fhirpath(
    expression: Annotated[str, typer.Argument(help="A FHIRPath expression.")],
    file: Annotated[Path, typer.Argument(help="A resource as JSON; - is standard input.")],
) -> None:
    """Evaluate a FHIRPath expression on a resource and print the results as JSON, one a line.

    Example: `fhir-server fhirpath "Patient.name.where(use = 'official').text" patient.json`
    """
    from fhir_server import fhirpath as engine
    from fhir_server.fhir.json_codec import decode, encode

    try:
        resource = decode(read_bytes(file))
        results = engine.compile(expression, resource.get("resourceType")).evaluate(resource)
    except FhirError as error:
        fail("; ".join(i.text() for i in error.issues))
    except (engine.FhirPathError, engine.EvaluationError) as error:
        fail(f"{expression}: {error}")
    for result in results:
        typer.echo(encode(result).decode())
