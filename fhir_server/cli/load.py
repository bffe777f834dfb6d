"""`fhir-server load`."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fhir_server.cli import sources as intake
from fhir_server.cli.map import (
    BadId,
    Dialect,
    Encoding,
    Form,
    Inputs,
    ReportFile,
    Source,
    Strict,
    checked_bad_id,
    finish,
)
from fhir_server.cli.output import fail
from fhir_server.cli.packages import Packages, print_notes, rules_of, setting_of, settings_of
from fhir_server.errors import FhirError
from fhir_server.settings import Settings

if TYPE_CHECKING:
    from fhir_server.operations.load_records import Sink
    from fhir_server.operations.map_records import Validate


def load(
    inputs: Inputs,
    form: Form = None,
    dialect: Dialect = None,
    store: Annotated[str | None, typer.Option(help="Store to write into: sqlite:///PATH.")] = None,
    base_url: Annotated[
        str | None, typer.Option(help="FHIR server to send transactions to: http://HOST:PORT/fhir.")
    ] = None,
    report: ReportFile = None,
    encoding: Encoding = "auto",
    source: Source = None,
    bad_id: BadId = "warn",
    strict: Strict = False,
    package: Packages = None,
) -> None:
    """Map source records and load them into a store or a FHIR server; loading twice changes nothing.

    Example: `fhir-server load --form contract --dialect chis SCM_SignContractRecord.csv --store sqlite:///fhir.db`
    """
    if (store is None) == (base_url is None):
        fail("say where to: either --store sqlite:///PATH or --base-url http://HOST:PORT/fhir")
    if base_url is not None and not base_url.startswith(("http://", "https://")):
        fail(f"--base-url is a FHIR server's address, http://HOST:PORT/fhir, not {base_url!r}")
    choices = intake.Choices(form, dialect, encoding, source, checked_bad_id(bad_id))
    sets = intake.source_sets(inputs, choices)
    intake.check_writable(report)
    settings = settings_of(store=store, packages=setting_of(package))
    finish(asyncio.run(_load(sets, choices, settings, base_url)), report, strict=strict)


async def _load(
    sets: list[intake.SourceSet], choices: intake.Choices, settings: Settings, base_url: str | None
) -> list[dict[str, Any]]:
    if base_url is None:
        return await _into_store(sets, choices, settings)
    return await _over_http(sets, choices, settings, base_url)


async def _into_store(
    sets: list[intake.SourceSet], choices: intake.Choices, settings: Settings
) -> list[dict[str, Any]]:
    from fhir_server.app import UnknownStore, build_parts, open_store_of
    from fhir_server.operations.load_records import StoreSink

    try:
        parts = build_parts(settings, store=open_store_of(settings.store, bulk=True))
    except (FhirError, UnknownStore, ValueError, OSError) as error:
        fail(f"cannot open {settings.store}: {error}")
    print_notes(parts.definitions.findings)
    try:
        return await _all(sets, choices, settings, StoreSink(parts), parts.validator.check)
    except FhirError as error:
        fail(f"{settings.store}: {error}; run the same command again, what is stored stays")
    finally:
        await parts.store.close()


async def _over_http(
    sets: list[intake.SourceSet], choices: intake.Choices, settings: Settings, base_url: str
) -> list[dict[str, Any]]:
    from fhir_server.operations.load_over_http import HttpSink, ServerRefused, http_client

    async with http_client(base_url) as client:
        sink = HttpSink(client)
        try:
            await sink.check()
        except ServerRefused as error:
            fail(str(error))
        try:
            return await _all(sets, choices, settings, sink, rules_of(settings)[1].check)
        except ServerRefused as error:
            fail(f"{error}; run the same command again, what is stored stays")


async def _all(
    sets: list[intake.SourceSet],
    choices: intake.Choices,
    settings: Settings,
    sink: "Sink",
    check: "Validate",
) -> list[dict[str, Any]]:
    from fhir_server.operations.load_files import load_files

    mappings = intake.mappings_of(settings)
    runs = [intake.map_run(mappings, files, choices, check) for files in sets]
    reports = []
    for run, files in zip(runs, sets, strict=True):
        with intake.progress_bar(files) as progress:
            reports.append(await load_files(run, sink, progress=progress))
    return reports
