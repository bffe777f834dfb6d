"""`fhir-server serve`."""

import gc
import ipaddress
import socket
import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from fhir_server.cli.output import fail
from fhir_server.cli.packages import Packages, print_notes, setting_of, settings_of
from fhir_server.errors import Issue, issue
from fhir_server.settings import Settings

if TYPE_CHECKING:
    from fhir_server.web.transport.exchange import AsgiApp

IN_MEMORY = "sqlite:///:memory:"

GARBAGE_OBJECTS = 10_000
"""New containers between two looks for garbage; a large body makes a million, none of it garbage."""

SWITCH_S = 0.001
"""How long a thread that computes keeps the event loop waiting, in seconds; Python's own 0.005 is felt by every read."""


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on. [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="TCP port. [default: 8080]")] = None,
    store: Annotated[
        str | None, typer.Option(help="sqlite:///PATH or sqlite:///:memory:. [default: sqlite:///fhir.db]")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Serving processes on one store, which is a file. [default: 1]")
    ] = None,
    base_url: Annotated[str | None, typer.Option(help="Public URL of the FHIR endpoint, behind a proxy.")] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Listen on a non-loopback address although nobody has to sign in.")
    ] = False,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning, error or critical.")] = None,
    package: Packages = None,
) -> None:
    """Serve FHIR R4 at http://HOST:PORT/fhir until interrupted.

    Example: `fhir-server serve --store sqlite:///demo.db --port 8080`
    """
    settings = settings_of(
        host=host,
        port=port,
        store=store,
        workers=workers,
        base_url=base_url,
        log_level=log_level,
        packages=setting_of(package),
    )
    if not insecure and not is_loopback(settings.host):
        _refuse(issue("bind.not-loopback", host=settings.host))
    if settings.workers > 1 and settings.store == IN_MEMORY:
        _refuse(issue("serve.store-in-memory", workers=settings.workers, store=settings.store))
    _check_free(settings)
    (_run if settings.workers == 1 else _run_workers)(settings)


def _refuse(refusal: Issue) -> NoReturn:
    fail(f"{refusal.text('en')}\n{refusal.text('zh')}")


def _check_free(settings: Settings) -> None:
    """Ends the command before anything is loaded when the address cannot be listened on."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        fail(f"cannot listen on {settings.host}, port {settings.port}: {error.strerror}")


def is_loopback(host: str) -> bool:
    """Tells whether an address reaches this machine only; names other than localhost do not count."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _run(settings: Settings) -> None:
    gc.disable()  # nothing that start makes is garbage; looking for some costs a tenth of it

    from fhir_server.app import UnknownStore, build_parts
    from fhir_server.errors import FhirError
    from fhir_server.web.application import web_application
    from fhir_server.web.transport.memory import return_large_blocks
    from fhir_server.web.transport.serving import run

    return_large_blocks()

    try:
        parts = build_parts(settings)
    except (FhirError, UnknownStore, ValueError, OSError) as error:
        fail(f"cannot start: {error}")
    _settle()
    print_notes(parts.definitions.findings)
    _announce(settings)
    run(web_application(parts), settings)


def _run_workers(settings: Settings) -> None:
    """Prepares what all workers share, before there is one, and accepts connections for them."""
    gc.disable()

    import fhir_server.store.sqlite.open  # noqa: F401 - what each worker would import is imported once
    from fhir_server.app import build_parts, prepare
    from fhir_server.errors import FhirError
    from fhir_server.web.application import web_application
    from fhir_server.web.transport.listening import bound
    from fhir_server.web.transport.memory import return_large_blocks
    from fhir_server.web.transport.workers import NoWorker, Workers

    return_large_blocks()

    def start(is_first: bool) -> "AsgiApp":
        gc.disable()
        parts = build_parts(settings, prepared=prepared)
        _settle()
        if is_first:
            print_notes(parts.definitions.findings)
        return web_application(parts)

    try:
        prepared = prepare(settings)
        listeners = bound(settings.host, settings.port)
        _settle()
        Workers(settings, start, listeners).run(partial(_announce, settings))
    except (FhirError, NoWorker, ValueError, OSError) as error:
        fail(f"cannot start: {error}")


def _settle() -> None:
    """Ends the start: what it has made stays, and requests begin."""
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS, 10, 10)
    gc.enable()
    sys.setswitchinterval(SWITCH_S)


def _announce(settings: Settings) -> None:
    shown = f"[{settings.host}]" if ":" in settings.host else settings.host
    workers = "" if settings.workers == 1 else f"{settings.workers} workers; "
    typer.echo(f"FHIR R4 at http://{shown}:{settings.port}/fhir  (store {settings.store}; {workers}Ctrl-C stops)")
