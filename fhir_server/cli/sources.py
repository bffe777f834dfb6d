"""What `map` and `load` read: files of one form in one dialect, or a folder with a `manifest.json`."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from fhir_server.cli.output import fail, neutral
from fhir_server.errors import FhirError
from fhir_server.settings import Settings

if TYPE_CHECKING:
    from rich.table import Table

    from fhir_server.mapping import Mappings
    from fhir_server.operations.map_records import MapRun, Progress, Validate

MANIFEST = "manifest.json"
SHOWN_FINDINGS = 20
_CHUNK_BYTES = 1 << 20


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
        found = [
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
        wanted = f" of the form {choices.form}" if choices.form else ""
        return found or fail(f"{folder / MANIFEST} names no files{wanted}")
    except OSError as error:
        fail(f"{folder / MANIFEST}: {error.strerror}; a folder needs a manifest that names form and files")
    except (ValueError, KeyError, TypeError) as error:
        fail(f"{folder / MANIFEST} cannot be used: {error!r}")


def mappings_of(settings: Settings) -> "Mappings":
    """Loads the mappings; ends the command when one of them is broken."""
    from fhir_server.mapping import BrokenMapping, load_mappings

    try:
        return load_mappings(base=settings.canonical_base, zone=settings.zone)
    except BrokenMapping as error:
        fail(str(error))


def map_run(mappings: "Mappings", sources: SourceSet, choices: Choices, validate: "Validate | None") -> "MapRun":
    """Starts a mapping run; ends the command when form, dialect or encoding are unknown."""
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
    return sum(_lines_in(p) for p in paths if os.access(p, os.R_OK))


def _lines_in(path: Path) -> int:
    with path.open("rb") as file:
        return sum(piece.count(b"\n") for piece in iter(lambda: file.read(_CHUNK_BYTES), b""))


def check_writable(path: Path | None) -> None:
    """Ends the command when a file that it shall write cannot be written; nothing is read before that is known."""
    if path is None:
        return
    folder = path.parent
    if path.is_dir():
        fail(f"cannot write {path}: it is a folder")
    if not folder.is_dir():
        fail(f"cannot write {path}: there is no folder {folder}")
    if not os.access(path if path.exists() else folder, os.W_OK):
        fail(f"cannot write {path}: Permission denied")


def write_report(path: Path | None, report: dict[str, Any]) -> None:
    """Writes the report as readable JSON, when a file was named."""
    if path is None:
        return
    try:
        path.write_text(json.dumps(report, ensure_ascii=False, indent=2) + "\n", "utf-8")
    except OSError as error:
        fail(f"cannot write {path}: {error.strerror}")


def print_summary(report: dict[str, Any], path: Path | None) -> None:
    """Prints totals a form, the first findings, and where the rest is, to standard error."""
    from rich.console import Console

    Console(stderr=True).print(_totals(report))
    _print_left_out(report["forms"])
    findings = [i for form in report["forms"] for i in form["issues"]]
    _print_errors([i for i in findings if i["severity"] in ("error", "fatal")])
    if path is not None:
        typer.echo(f"Report: {path}", err=True)
    elif report["warnings"]:
        typer.echo(f"{report['warnings']} warning(s), not shown here; --report FILE has them 警告见报告", err=True)


def _totals(report: dict[str, Any]) -> "Table":
    """A row a form: source rows, what became of records in the store, resources that the source took back."""
    from rich.table import Table

    names = ("read", "mapped", "rejected")
    stored = ("created", "updated", "unchanged") if "stored" in report else ()
    deleted = ("deleted",) if "stored" in report else ()
    table = Table("form", *names, *stored, *deleted, "warnings", box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for form in report["forms"]:
        warnings = sum(i["severity"] == "warning" for i in form["issues"])
        figures = [form[n] for n in names] + [form["stored"][n] for n in stored]
        figures += [form["resources"][n] for n in deleted]
        table.add_row(form["form"], *map(str, figures), str(warnings))
    return table


def _print_left_out(forms: list[dict[str, Any]]) -> None:
    """Names the columns that nothing was made of, so that nobody has to look into the report to know."""
    for form in forms:
        for column in form["unused_columns"]:
            name, count = f"{column['file']} {column['column']}", column["values"]
            typer.secho(f"{neutral(name)}: not used, {count} value(s) 未使用的列", fg=typer.colors.YELLOW, err=True)


def _print_errors(errors: list[dict[str, Any]]) -> None:
    for found in errors[:SHOWN_FINDINGS]:
        row = f" row {found['row']}" if found["row"] else ""
        place = f"{found['file']}{row} {found['column']}".rstrip()
        typer.secho(neutral(place), fg=typer.colors.RED, err=True, nl=False)
        typer.echo(f"  [{found['rule']}] {neutral(found['zh'])}\n    {neutral(found['en'])}", err=True)
    if len(errors) > SHOWN_FINDINGS:
        typer.echo(f"... and {len(errors) - SHOWN_FINDINGS} more; --report FILE has them all", err=True)
