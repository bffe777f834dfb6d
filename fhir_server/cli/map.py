"""`fhir-server map`."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fhir_server.cli import sources as intake
from fhir_server.settings import Settings

if TYPE_CHECKING:
    from fhir_server.operations.map_records import Validate

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
    settings = Settings.from_environment()
    mappings = intake.mappings_of(settings.canonical_base)
    check = validator_of(settings) if validate else None
    reports = []
    with out.open("wb") if out else sys.stdout.buffer as target:
        for files in sets:
            run = intake.map_run(mappings, files, choices, check)
            with intake.progress_bar(files) as progress:
                for record in replace(run, progress=progress):
                    if record.bundle is not None:
                        target.write(encoded(record.bundle))
            reports.append(run.report().as_json())
    finish(reports, report, strict=strict)


def checked_bad_id(value: str) -> str:
    """Accepts `warn` and `reject`."""
    if value not in ("warn", "reject"):
        raise typer.BadParameter("warn or reject", param_hint="--bad-id")
    return value


def encoded(bundle: dict[str, object]) -> bytes:
    """Returns a Bundle as one line."""
    from fhir_server.fhir.json_codec import encode

    return encode(bundle) + b"\n"


def validator_of(settings: Settings) -> "Validate":
    """Returns the check of one resource."""
    from fhir_server.definitions.packages import load_definitions
    from fhir_server.validation import Validator

    return Validator(load_definitions(packages=settings.package_paths, base=settings.canonical_base)).check


def finish(reports: list[dict[str, object]], path: Path | None, *, strict: bool) -> None:
    """Writes and prints the report; exit code 1 when a whole file was refused, or with `strict` any row."""
    from fhir_server.operations.load_files import totals_of

    whole = totals_of(reports)
    intake.write_report(path, whole)
    intake.print_summary(whole, path)
    if whole["refused_files"] or (strict and whole["rejected"]):
        raise typer.Exit(1)
