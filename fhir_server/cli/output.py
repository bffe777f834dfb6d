"""How commands speak: findings as a table or as OperationOutcomes, failures as one sentence and exit code 2."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NoReturn

import typer

from fhir_server.errors import Issue, Language

USAGE_ERROR = 2
"""Exit code of a command that could not start; 1 is for findings."""

# What a terminal obeys instead of showing: C0 and C1 controls, and marks that turn the direction of text around.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_COLOURS = {"error": "red", "fatal": "red", "warning": "yellow", "information": "cyan"}
_PIPE_WIDTH = 160
"""Columns of a table that goes into a file or a pipe."""


def fail(sentence: str) -> NoReturn:
    """Prints one sentence to standard error and ends the command with exit code 2."""
    lines = "\n".join(neutral(line) for line in sentence.splitlines())
    typer.secho(f"fhir-server: {lines}", fg=typer.colors.RED, err=True)
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


def neutral(text: str) -> str:
    r"""Returns text that does nothing to a terminal: control characters are written out, `\x1b`."""
    return _CONTROLS.sub(lambda m: f"\\x{ord(m[0]):02x}" if ord(m[0]) < 256 else f"\\u{ord(m[0]):04x}", text)


def neutral_json(text: str) -> str:
    """Returns the same JSON without characters that a terminal obeys; in JSON they can only stand inside strings."""
    return _CONTROLS.sub(lambda m: f"\\u{ord(m[0]):04x}", text)


def language_of_environment(environment: Mapping[str, str] = os.environ) -> Language:
    """Returns the language of LC_ALL, LC_MESSAGES or LANG, the first that is set: Chinese for `zh...`, else English."""
    chosen = next((environment[k] for k in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(k)), "")
    return "zh" if chosen.lower().startswith("zh") else "en"


def print_findings(
    issues: Iterable[Issue], *, of: str, language: Language, entries: Mapping[str, str] | None = None
) -> None:
    """Prints findings as a table below the name of what they are about: severity, place, path, sentence.

    `entries` names the resources of a Bundle by the path of their entry.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    for column in ("severity", "place", "path", "text"):
        table.add_column(column, no_wrap=column in ("severity", "place"), overflow="fold")
    for found in issues:
        place = f"{found.line}:{found.column}" if found.line else "-"
        path = neutral(_path(found.path, entries or {}))
        severity = Text("  " + found.severity.value, style=_COLOURS[found.severity.value])
        table.add_row(severity, place, Text(path), Text(f"{neutral(found.text(language))} [{neutral(found.key)}]"))
    console = Console()
    typer.echo(f"{neutral(of)}: {table.row_count} {'finding(s)' if language == 'en' else '个问题'}")
    Console(width=None if console.is_terminal else _PIPE_WIDTH, highlight=False).print(table)


def _path(path: str, entries: Mapping[str, str]) -> str:
    entry = path.partition(".resource")[0]
    return f"{path} ({entries[entry]})" if entry in entries else path or "-"
