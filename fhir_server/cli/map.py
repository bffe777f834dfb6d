"""`fhir-server map`."""

import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from fhir_server.cli import sources as intake
from fhir_server.cli.output import fail
from fhir_server.cli.packages import rules_of, settings_of

if TYPE_CHECKING:
    from fhir_server.operations.map_records import MapRun

Inputs = Annotated[
    list[Path],
    typer.Argument(help="Source files (CSV, tab-separated, JSON, NDJSON), or a folder with a manifest.json."),
]
Form = Annotated[
    str | None,
    typer.Option(
        help="Form of the records: organization, practitioner, care-team, personal-info, contract, htn-followup, referral."
    ),
]
Dialect = Annotated[str | None, typer.Option(help="How the source system writes it: national, chis.")]
ReportFile = Annotated[
    Path | None, typer.Option(help="Write the report (every finding with file, row, column, value, rule) here.")
]
Encoding = Annotated[
    str, typer.Option(help="auto, utf-8, utf-8-sig or gb18030; a file in another one is refused whole.")
]
Source = Annotated[
    str | None, typer.Option(help="Name of the source system, for ids and identifiers. [default: the dialect's]")
]
BadId = Annotated[
    str, typer.Option(help="What a failing ID number does: warn (kept as unverified) or reject (the row).")
]
Checked = Annotated[
    bool, typer.Option("--validate/--no-validate", help="Check the resources against R4 and the profiles.")
]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with code 1 when any row was rejected.")]


def map_(
    inputs: Inputs,
    form: Form = None,
    dialect: Dialect = None,
    out: Annotated[
        Path | None, typer.Option(help="NDJSON file of transaction Bundles, one a record. [default: standard output]")
    ] = None,
    report: ReportFile = None,
    encoding: Encoding = "auto",
    source: Source = None,
    bad_id: BadId = "warn",
    validate: Checked = True,
    strict: Strict = False,
) -> None:
    """Map source records to FHIR transaction Bundles; needs no server.

    Example: `fhir-server map --form htn-followup --dialect national 随访.csv --out bundles.ndjson --report report.json`
    """
    choices = intake.Choices(form, dialect, encoding, source, checked_bad_id(bad_id))
    sets = intake.source_sets(inputs, choices)
    for path in (out, report):
        intake.check_writable(path)
    settings = settings_of()
    mappings = intake.mappings_of(settings)
    check = rules_of(settings)[1].check if validate else None
    runs = [intake.map_run(mappings, files, choices, check) for files in sets]
    try:
        with out.open("wb") if out else nullcontext(sys.stdout.buffer) as target:
            for run, files in zip(runs, sets, strict=True):
                _write(run, files, target)
            target.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        fail(f"cannot write {out or 'to standard output'}: {error.strerror}")
    finish([run.report().as_json() for run in runs], report, strict=strict)


def _write(run: "MapRun", files: intake.SourceSet, target: IO[bytes]) -> None:
    """Writes the Bundle of each record that has one, a line each."""
    with intake.progress_bar(files) as progress:
        for record in replace(run, progress=progress):
            if record.bundle is not None:
                target.write(encoded(record.bundle))


def checked_bad_id(value: str) -> str:
    """Accepts `warn` and `reject`."""
    if value not in ("warn", "reject"):
        raise typer.BadParameter("warn or reject", param_hint="--bad-id")
    return value


def encoded(bundle: dict[str, object]) -> bytes:
    """Returns a Bundle as one line."""
    from fhir_server.fhir.json_codec import encode

    return encode(bundle) + b"\n"


def finish(reports: list[dict[str, object]], path: Path | None, *, strict: bool) -> None:
    """Writes and prints the report; exit code 1 when a whole file was refused, or with `strict` any row."""
    from fhir_server.operations.load_files import totals_of

    whole = totals_of(reports)
    intake.write_report(path, whole)
    intake.print_summary(whole, path)
    if whole["refused_files"] or (strict and whole["rejected"]):
        raise typer.Exit(1)
