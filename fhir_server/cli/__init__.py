"""The command line `fhir-server`: parse arguments, call, print. Each command is one file."""

import sys

import typer

from fhir_server import __version__
from fhir_server.cli.doctor import doctor
from fhir_server.cli.fhirpath import fhirpath
from fhir_server.cli.generate import generate
from fhir_server.cli.load import load
from fhir_server.cli.map import map_
from fhir_server.cli.serve import serve
from fhir_server.cli.validate import validate

app = typer.Typer(
    name="fhir-server",
    help="FHIR R4 server for family-doctor contracts (家庭医生签约服务): map, load, serve, validate.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command()(serve)
app.command("map")(map_)
app.command()(load)
app.command()(validate)
app.command()(generate)
app.command()(fhirpath)
app.command()(doctor)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fhir-server {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Show the version."),
) -> None:
    """FHIR R4 server for family-doctor contracts (家庭医生签约服务)."""


def main() -> None:
    """Runs the command line; text goes out as UTF-8 whatever the locale says."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="replace")
    app()
