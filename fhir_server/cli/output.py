"""How commands speak: findings as readable lines, failures as one sentence and exit code 2."""

from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

import typer

from fhir_server.errors import Issue

USAGE_ERROR = 2
"""Exit code of a command that could not start; 1 is for findings."""


def fail(sentence: str) -> NoReturn:
    """Prints one sentence to standard error and ends the command with exit code 2."""
    typer.secho(f"fhir-server: {sentence}", fg=typer.colors.RED, err=True)
    raise typer.Exit(USAGE_ERROR)


def read_bytes(path: Path) -> bytes:
    """Returns a file's bytes, standard input for `-`; ends the command when it cannot be read."""
    import sys

    if str(path) == "-":
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except OSError as error:
        fail(f"cannot read {path}: {error.strerror}")


def print_findings(issues: Iterable[Issue], *, of: str) -> None:
    """Prints findings one a line: where, how bad, which rule, and both languages."""
    colours = {"error": typer.colors.RED, "fatal": typer.colors.RED, "warning": typer.colors.YELLOW}
    for found in issues:
        place = found.path or (f"line {found.line}, column {found.column}" if found.line else "-")
        typer.secho(f"{of}: {found.severity.value}", fg=colours.get(found.severity.value), nl=False)
        typer.echo(f"  {place}  [{found.key}]\n    {found.text('en')}\n    {found.text('zh')}")
