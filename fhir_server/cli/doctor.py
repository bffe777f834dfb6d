"""`fhir-server doctor`."""

import platform
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from fhir_server import __version__
from fhir_server.cli.packages import Packages, print_notes, setting_of, settings_of
from fhir_server.errors import FhirError
from fhir_server.settings import Settings

Check = tuple[str, Callable[[Settings], str]]


def doctor(
    store: Annotated[str | None, typer.Option(help="Store to look at. [default: sqlite:///fhir.db]")] = None,
    package: Packages = None,
) -> None:
    """Check this installation: Python, SQLite, definitions, profiles, mappings, store; exit code 1 when one fails.

    Example: `fhir-server doctor --store sqlite:///demo.db`
    """
    settings = settings_of(store=store, packages=setting_of(package))
    failed = False
    for name, check in CHECKS:
        try:
            line, colour = f"ok    {name}: {check(settings)}", typer.colors.GREEN
        except (FhirError, ValueError, OSError, RuntimeError) as error:
            failed, line, colour = True, f"FAIL  {name}: {error}", typer.colors.RED
        typer.secho(line, fg=colour)
    raise typer.Exit(1 if failed else 0)


def _python(settings: Settings) -> str:
    return f"{platform.python_version()} on {sys.platform}, fhir-server {__version__}"


def _sqlite(settings: Settings) -> str:
    from fhir_server.store.sqlite.open import check_library, library_version

    check_library(library_version())
    return f"{library_version()} (apsw)"


def _definitions(settings: Settings) -> str:
    from fhir_server.definitions.packages import load_definitions
    from fhir_server.validation import Validator

    definitions = load_definitions(packages=settings.package_paths, base=settings.canonical_base)
    Validator(definitions).compile_all(sorted(definitions.resources))
    parameters = sum(len(r.search) for r in definitions.resources.values())
    profiles = len(definitions.profiles())
    print_notes(definitions.findings)
    return f"{len(definitions.resources)} resource types, {parameters} search parameters, {profiles} profiles, all compiled"


def _mappings(settings: Settings) -> str:
    from fhir_server.mapping import load_mappings

    mappings = load_mappings(base=settings.canonical_base, zone=settings.zone)
    spoken = sum(len(mappings.dialects(form)) for form in mappings.forms)
    return f"{len(mappings.forms)} forms, {spoken} dialect tables, all compiled"


def _zone(settings: Settings) -> str:
    from zoneinfo import ZoneInfo

    return str(ZoneInfo(settings.zone))


def _store(settings: Settings) -> str:
    import asyncio

    from fhir_server.app import open_store_of

    async def look() -> int:
        opened = open_store_of(settings.store)
        try:
            async with opened.snapshot(searching=False) as snapshot:
                return snapshot.moment
        finally:
            await opened.close()

    return f"{settings.store} opens; {asyncio.run(look())} commits so far"


CHECKS: tuple[Check, ...] = (
    ("python", _python),
    ("sqlite", _sqlite),
    ("time zone", _zone),
    ("definitions", _definitions),
    ("mappings", _mappings),
    ("store", _store),
)
