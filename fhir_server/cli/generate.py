"""`fhir-server generate`."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fhir_server.cli.output import fail
from fhir_server.cli.packages import settings_of
from fhir_server.cli.sources import mappings_of
from fhir_server.errors import FhirError

if TYPE_CHECKING:
    from fhir_server.synthetic.population import Population
    from fhir_server.synthetic.writer import Output

MOST_RESIDENTS = 400_000
DEFAULT_AS_OF = "2025-06-30"


def generate(
    out: Annotated[Path, typer.Option(help="Folder for the files; it must be empty or new.")],
    residents: Annotated[int, typer.Option(min=1, max=MOST_RESIDENTS, help="Number of residents.")] = 300,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 2025,
    dialect: Annotated[str, typer.Option(help="Whose tables to write: national, chis.")] = "national",
    file_format: Annotated[str, typer.Option("--format", help="csv or json.")] = "csv",
    encoding: Annotated[str, typer.Option(help="utf-8, utf-8-sig or gb18030.")] = "utf-8",
    as_of: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="The day to which all dates are relative.")
    ] = DEFAULT_AS_OF,  # type: ignore[assignment]
    bad_rows: Annotated[
        int,
        typer.Option(
            min=0, max=1000, help="Broken rows to plant; manifest.json tells where and which rule finds each."
        ),
    ] = 0,
    force: Annotated[bool, typer.Option("--force", help="Write into a folder that is not empty.")] = False,
) -> None:
    """Generate a synthetic township as source files: institutions, staff, teams, residents, contracts, visits, referrals.

    Example: `fhir-server generate --residents 300 --seed 2025 --dialect national --encoding gb18030 --out demo-data/source`
    """
    from fhir_server.synthetic.population import build_population
    from fhir_server.synthetic.writer import ENCODINGS, FORMATS, Output

    _one_of(file_format, FORMATS, "--format")
    _one_of(encoding, ENCODINGS, "--encoding")
    if out.exists() and not out.is_dir():
        fail(f"{out} is a file; --out names a folder")
    if out.exists() and not force and any(out.iterdir()):
        fail(f"{out} is not empty; name another folder, or add --force to write into it")
    population = build_population(residents, seed=seed, as_of=as_of.date())
    _print(_written(population, Output(out, dialect, file_format, encoding, bad_rows)), out)


def _one_of(value: str, known: Any, option: str) -> None:
    if value not in known:
        raise typer.BadParameter(f"one of {', '.join(known)}", param_hint=option)


def _written(population: "Population", output: "Output") -> dict[str, Any]:
    from fhir_server.synthetic.writer import write_population

    try:
        return write_population(population, output, mappings=mappings_of(settings_of()))
    except FhirError as error:
        fail("\n".join(f"{i.text('en')}\n{i.text('zh')}" for i in error.issues))
    except OSError as error:
        fail(f"cannot write {output.folder}: {error.strerror}")


def _print(manifest: dict[str, Any], out: Path) -> None:
    """Prints files with their rows, in load order."""
    for entry in manifest["files"]:
        for path, rows in zip(entry["paths"], entry["rows"], strict=True):
            typer.echo(f"{rows:>8}  {entry['form']:<14}{path}")
    planted = len(manifest["planted"])
    typer.echo(f"{out}: {manifest['residents']} residents as of {manifest['asOf']}, seed {manifest['seed']}", nl=False)
    typer.echo(f", {planted} broken row(s) planted (manifest.json)" if planted else "")
