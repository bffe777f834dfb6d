"""Settings and the option `--package`: FHIR packages of others, https://confluence.hl7.org/display/FHIR/NPM+Package+Specification."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fhir_server.cli.output import fail
from fhir_server.errors import FhirError, Issue
from fhir_server.settings import Settings

if TYPE_CHECKING:
    from fhir_server.definitions.registry import Definitions
    from fhir_server.validation import Validator

Packages = Annotated[
    list[Path] | None,
    typer.Option("--package", help="FHIR package to load besides our own: a .tgz file or a folder; repeatable."),
]


def setting_of(packages: list[Path] | None) -> str | None:
    """Returns the setting `packages` that these options stand for; None leaves it to the environment."""
    return ",".join(map(str, packages)) if packages else None


def settings_of(**given: Any) -> Settings:
    """Returns the settings of the environment with what the command line gave; ends the command when one is wrong."""
    try:
        return Settings.from_environment(**given)
    except ValueError as error:
        fail(str(error))


def print_notes(findings: Iterable[Issue]) -> None:
    """Prints what was left out of the loaded packages, in both languages, to standard error."""
    for note in findings:
        typer.secho(f"{note.text('en')}\n{note.text('zh')}", fg=typer.colors.YELLOW, err=True)


def rules_of(settings: Settings) -> "tuple[Definitions, Validator]":
    """Returns our packages and the given ones, with their validator, compiled; ends the command when one is broken."""
    from fhir_server.definitions.packages import load_definitions
    from fhir_server.validation import ProfileError, Validator

    try:
        definitions = load_definitions(packages=settings.package_paths, base=settings.canonical_base)
        validator = Validator(definitions)
        validator.compile_all()
    except (FhirError, ProfileError) as error:
        fail(str(error))
    print_notes(definitions.findings)
    return definitions, validator
