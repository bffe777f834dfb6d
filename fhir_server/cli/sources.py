"""What `map` and `load` read: files of one form in one dialect, or a folder with a `manifest.json`."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from fhir_server.cli.output import fail
from fhir_server.errors import FhirError

if TYPE_CHECKING:
    from fhir_server.mapping import Mappings
    from fhir_server.operations.map_records import MapRun, Progress, Validate

MANIFEST = "manifest.json"
SHOWN_FINDINGS = 20


@dataclass(frozen=True, slots=True)
class SourceSet:
    """The files of one form, in one dialect and encoding, of one source system (None: named by the dialect)."""

    form: str
    dialect: str
    paths: tuple[Path, ...]
    encoding: str
    source: str | None


@dataclass(frozen=True, slots=True)
class Choices:
    """What the command line chose for all files."""

    form: str | None
    dialect: str | None
    encoding: str
    source: str | None
    bad_id: str


def source_sets(inputs: Sequence[Path], choices: Choices) -> list[SourceSet]:
    """Returns what to read, in order; ends the command when the inputs do not say enough."""
    missing = [str(p) for p in inputs if not p.exists()]
    if missing:
        fail(f"no such file: {', '.join(missing)}")
    if len(inputs) == 1 and inputs[0].is_dir():
        return _from_manifest(inputs[0], choices)
    if choices.form is None or choices.dialect is None:
        fail("--form and --dialect are needed, or a folder that has a manifest.json")
    return [SourceSet(choices.form, choices.dialect, tuple(inputs), choices.encoding, choices.source)]


def _from_manifest(folder: Path, choices: Choices) -> list[SourceSet]:
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text("utf-8"))
        dialect = choices.dialect or manifest["dialect"]
        return [
            SourceSet(
                entry["form"],
                dialect,
                tuple(folder / p for p in entry["paths"]),
                entry.get("encoding", choices.encoding),
                choices.source or manifest.get("source"),
            )
            for entry in manifest["files"]
            if choices.form in (None, entry["form"])
        ]
    except OSError as error:
        fail(f"{folder / MANIFEST}: {error.strerror}; a folder needs a manifest that names form and files")
    except (ValueError, KeyError, TypeError) as error:
        fail(f"{folder / MANIFEST} cannot be used: {error!r}")


def mappings_of(base: str) -> "Mappings":
    """Loads the mappings; ends the command when one of them is broken."""
    from fhir_server.mapping import BrokenMapping, load_mappings

    try:
        return load_mappings(base=base)
    except BrokenMapping as error:
        fail(str(error))


def map_run(mappings: "Mappings", sources: SourceSet, choices: Choices, validate: "Validate | None") -> "MapRun":
    """Starts a mapping run; ends the command when form or dialect are unknown."""
    from fhir_server.operations.map_records import map_files

    try:
        return map_files(
            mappings,
            sources.form,
            sources.dialect,
            sources.paths,
            now=datetime.now(UTC),
            encoding=sources.encoding,
            source=sources.source,
            bad_id=choices.bad_id,
            validate=validate,
        )
    except FhirError as error:
        fail("\n".join(f"{i.text('en')}\n{i.text('zh')}" for i in error.issues))


@contextmanager
def progress_bar(sources: SourceSet) -> "Iterator[Progress]":
    """Shows a bar with rows done, rate and time left, on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(sources.form, total=_rows_in(sources.paths))

        def told(done: int) -> None:
            progress.update(task, completed=done)

        yield told
        done = progress.tasks[0].completed
        progress.update(task, total=done, completed=done)


def _rows_in(paths: Sequence[Path]) -> int | None:
    """Counts lines, an upper bound of the rows; JSON arrays cannot be counted without reading them."""
    if any(p.suffix.lower() == ".json" for p in paths):
        return None
    return sum(p.read_bytes().count(b"\n") for p in paths)


def write_report(path: Path | None, report: dict[str, Any]) -> None:
    """Writes the report as readable JSON, when a file was named."""
    if path is not None:
        path.write_text(json.dumps(report, ensure_ascii=False, indent=2) + "\n", "utf-8")


def print_summary(report: dict[str, Any], path: Path | None) -> None:
    """Prints totals a form, the first findings, and where the rest is, to standard error."""
    from rich.console import Console
    from rich.table import Table

    console = Console(stderr=True)
    names = ("read", "mapped", "rejected")
    stored = ("created", "updated", "unchanged") if "stored" in report else ()
    table = Table("form", *names, *stored, "warnings", box=None, pad_edge=False)
    for form in report["forms"]:
        warnings = sum(i["severity"] == "warning" for i in form["issues"])
        figures = [form[n] for n in names] + [form["stored"][n] for n in stored] + [warnings]
        table.add_row(form["form"], *map(str, figures))
    console.print(table)
    _print_left_out(report["forms"])
    _print_errors([i for form in report["forms"] for i in form["issues"] if i["severity"] in ("error", "fatal")])
    if path is not None:
        typer.echo(f"Report: {path}", err=True)


def _print_left_out(forms: list[dict[str, Any]]) -> None:
    """Names the columns that nothing was made of, so that nobody has to look into the report to know."""
    for form in forms:
        for column in form["unused_columns"]:
            name, count = f"{column['file']} {column['column']}", column["values"]
            typer.secho(f"{name}: not used, {count} value(s) 未使用的列", fg=typer.colors.YELLOW, err=True)


def _print_errors(errors: list[dict[str, Any]]) -> None:
    for found in errors[:SHOWN_FINDINGS]:
        typer.secho(f"{found['file']} row {found['row']} {found['column']}", fg=typer.colors.RED, err=True, nl=False)
        typer.echo(f"  [{found['rule']}] {found['zh']}\n    {found['en']}", err=True)
    if len(errors) > SHOWN_FINDINGS:
        typer.echo(f"... and {len(errors) - SHOWN_FINDINGS} more; --report FILE has them all", err=True)
