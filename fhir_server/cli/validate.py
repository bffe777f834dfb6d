"""`fhir-server validate`."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from fhir_server.cli.output import fail, language_of_environment, neutral, neutral_json, print_findings
from fhir_server.cli.packages import Packages, print_notes, setting_of, settings_of
from fhir_server.errors import FhirError, Language, Severity, has_errors

if TYPE_CHECKING:
    from fhir_server.operations.validate_files import Checked, Item, Rules

Advance = Callable[[int], None]
"""Takes the bytes that are done."""


class Shown(StrEnum):
    """The least severity of findings that are shown."""

    ERROR = "error"
    WARNING = "warning"
    INFORMATION = "information"


class Tongue(StrEnum):
    """The language of findings."""

    EN = "en"
    ZH = "zh"


def validate(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="JSON, XML or NDJSON files (a Bundle is one resource), folders of them; - is standard input."
        ),
    ],
    profile: Annotated[
        list[str] | None, typer.Option(help="Profile URL to meet besides meta.profile; repeatable.")
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="Print one OperationOutcome a resource, one a line; meta.source is the file's name."
        ),
    ] = False,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes; a small input needs one. [default: one a core]")
    ] = None,
    severity: Annotated[Shown, typer.Option(help="Least severity to show.")] = Shown.INFORMATION,
    lang: Annotated[Tongue | None, typer.Option(help="Language of findings. [default: LC_ALL, LANG]")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not name resources without findings.")] = False,
    package: Packages = None,
    strict: Annotated[
        bool, typer.Option("--strict/--lenient", help="Errors as the official validator's, or only those of a write.")
    ] = True,
) -> None:
    """Validate resources against R4 and their profiles.

    Exit codes: 0 no errors; 1 errors were found; 2 the command could not do its work (no such file, unknown profile).

    Example: `fhir-server validate patient.json --profile http://jtys.example/fhir/StructureDefinition/fd-patient`
    """
    from fhir_server.operations.validate_files import Rules, check_all

    paths = _paths(files)
    settings = settings_of(packages=setting_of(package))
    packages = tuple(settings.package_paths)
    rules = Rules(tuple(profile or ()), settings.canonical_base, Severity(severity.value), packages, is_strict=strict)
    _check_profiles(rules)
    size = sum(p.stat().st_size for p in paths if str(p) != "-")
    workers = jobs or len(os.sched_getaffinity(0))
    language: Language = lang.value if lang else language_of_environment()
    speak = _Speaker(as_json=as_json, quiet=quiet, language=language)
    with _progress(size) as advance:
        for checked in check_all(_items(paths), rules, jobs=workers):
            speak.tell(checked)
            advance(checked.size)
    speak.close()
    raise typer.Exit(1 if speak.failed else 0)


def _paths(arguments: Iterable[Path]) -> list[Path]:
    """The files of the arguments, all of them there; ends the command when one is not."""
    from fhir_server.operations.validate_files import files_in

    found: list[Path] = []
    for path in arguments:
        if str(path) != "-" and not path.exists():
            fail(f"no such file: {path}")
        found += [path] if str(path) == "-" else files_in(path)
    return found or fail("no JSON, XML or NDJSON files in there")


def _check_profiles(rules: "Rules") -> None:
    from fhir_server.definitions.packages import load_definitions

    if not rules.profiles and not rules.packages:
        return
    try:
        definitions = load_definitions(packages=rules.packages, base=rules.canonical_base)
    except FhirError as error:
        fail(str(error))
    print_notes(definitions.findings)
    for url in rules.profiles:
        if definitions.structure(url) is None:
            known = "\n  ".join(p.url for p in definitions.profiles())
            fail(f"the profile {url} is not loaded here. Loaded:\n  {known}")


def _items(paths: Iterable[Path]) -> "Iterator[Item]":
    from fhir_server.operations.validate_files import items_in

    for path in paths:
        try:
            with _opened(path) as stream:
                yield from items_in("stdin" if str(path) == "-" else path.name, stream)
        except OSError as error:
            fail(f"cannot read {path}: {error.strerror}")


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    if str(path) == "-":
        yield sys.stdin.buffer
        return
    with path.open("rb") as stream:
        yield stream


class _Speaker:
    """Prints what was found, and remembers whether anything was an error."""

    def __init__(self, *, as_json: bool, quiet: bool, language: Language) -> None:
        self.as_json, self.quiet, self.language = as_json, quiet, language
        self.count = self.failed = 0

    def tell(self, checked: "Checked") -> None:
        self.count += 1
        self.failed += has_errors(checked.issues)
        if self.as_json:
            self._outcome(checked)
        elif checked.issues:
            print_findings(checked.issues, of=checked.name, language=self.language, entries=checked.entries)
        elif not self.quiet:
            typer.echo(f"{neutral(checked.name)}: ok")

    def _outcome(self, checked: "Checked") -> None:
        from fhir_server.fhir.json_codec import encode
        from fhir_server.fhir.outcomes import operation_outcome

        outcome = operation_outcome(checked.issues, self.language)
        outcome = {"resourceType": "OperationOutcome", "meta": {"source": quote(checked.name)}, **outcome}
        typer.echo(neutral_json(encode(outcome).decode()))

    def close(self) -> None:
        if not self.as_json:
            told = f"{self.failed} with errors" if self.failed else "no errors"
            typer.echo(f"{self.count} resource(s) validated: {told}", err=True)


@contextmanager
def _progress(size: int) -> Iterator[Advance]:
    """Shows a bar of bytes on standard error, when that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _size: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    # Findings on a terminal go above the bar; those in a file stay in the file.
    columns = (BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=sys.stdout.isatty()) as bar:
        task = bar.add_task("validate", total=size or None)
        yield lambda done: bar.advance(task, done)
