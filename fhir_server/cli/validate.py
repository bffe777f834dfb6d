"""`fhir-server validate`."""

from pathlib import Path
from typing import Annotated

import typer

from fhir_server.cli.output import fail, print_findings, read_bytes
from fhir_server.errors import FhirError, Issue, has_errors
from fhir_server.settings import Settings


def validate(
    files: Annotated[list[Path], typer.Argument(help="Resources as JSON, one a file, or NDJSON; - is standard input.")],
    profile: Annotated[
        list[str] | None, typer.Option(help="Profile URL to meet besides meta.profile; repeatable.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one OperationOutcome a resource, one a line.")] = False,
) -> None:
    """Validate resources against R4 and their profiles; exit code 1 when there are errors.

    Example: `fhir-server validate patient.json --profile http://jtys.example/fhir/StructureDefinition/fd-patient`
    """
    from fhir_server.definitions.packages import load_definitions
    from fhir_server.validation import Validator

    definitions = load_definitions(base=Settings.from_environment().canonical_base)
    for url in profile or ():
        if definitions.structure(url) is None:
            known = "\n  ".join(p.url for p in definitions.profiles())
            fail(f"the profile {url} is not loaded here. Loaded:\n  {known}")
    validator = Validator(definitions)
    failed, count = False, 0
    for path in files:
        for name, text in _resources_in(path):
            issues = _findings(validator, text, profile or [])
            failed |= has_errors(issues)
            count += 1
            _print(name, issues, as_json=as_json)
    if not as_json:
        typer.echo(f"{count} resource(s) validated: {'errors found' if failed else 'no errors'}", err=True)
    raise typer.Exit(1 if failed else 0)


def _resources_in(path: Path) -> list[tuple[str, bytes]]:
    data = read_bytes(path)
    if path.suffix == ".ndjson":
        return [(f"{path.name}:{n}", line) for n, line in enumerate(data.splitlines(), 1) if line.strip()]
    return [(path.name, data)]


def _findings(validator: object, text: bytes, profiles: list[str]) -> list[Issue]:
    from fhir_server.fhir.json_codec import decode
    from fhir_server.validation import Validator

    assert isinstance(validator, Validator)
    try:
        return validator.check(decode(text), profiles=profiles)
    except FhirError as error:
        return list(error.issues)


def _print(name: str, issues: list[Issue], *, as_json: bool) -> None:
    if as_json:
        from fhir_server.fhir.json_codec import encode
        from fhir_server.fhir.outcomes import operation_outcome

        typer.echo(encode(operation_outcome(issues)).decode())
    elif issues:
        print_findings(issues, of=name)
    else:
        typer.echo(f"{name}: ok")
