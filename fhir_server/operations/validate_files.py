"""Validation of files: what is in them, one worker's share of it, and many workers whose answers keep their order."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import chain, islice
from multiprocessing import get_context
from pathlib import Path
from typing import IO, NamedTuple

from fhir_server.definitions.packages import load_definitions
from fhir_server.errors import FhirError, Issue, Severity
from fhir_server.fhir import json_codec, xml_codec
from fhir_server.fhir.positions import located
from fhir_server.fhir.shapes import JsonObject
from fhir_server.fhirpath.model import r4_model
from fhir_server.validation import Validator
from fhir_server.validation.policy import SERVER, STRICT

CHUNK_ITEMS = 200
"""Resources that go to a worker at once."""
CHUNK_BYTES = 1_000_000
"""Bytes after which a chunk is full; one resource may be bigger and is then a chunk of its own."""
AHEAD = 3
"""Chunks in work for each worker: enough to keep it busy, and a bound of memory."""
MAX_LINE_BYTES = 64_000_000
"""Longest line of NDJSON; a file without line ends must not fill the memory."""
SUFFIXES = (".json", ".xml", ".ndjson")

_ORDER = tuple(Severity)
_BOM = b"\xef\xbb\xbf"


class Item(NamedTuple):
    """One resource as text; `name` is the file's, with `:N` for line N of NDJSON."""

    name: str
    text: bytes


class Checked(NamedTuple):
    """What was found in one item of `size` bytes; `entries` names a Bundle's resources by the path of their entry."""

    name: str
    issues: list[Issue]
    entries: dict[str, str]
    size: int


@dataclass(frozen=True, slots=True)
class Rules:
    """What every worker checks by: profiles besides those that a resource claims, the base of our own, packages.

    Findings less severe than `least` are left out before they cost their place in the text. With `is_strict` what the
    official validator refuses is an error, otherwise what the server refuses on write.
    """

    profiles: tuple[str, ...]
    canonical_base: str
    least: Severity = Severity.INFORMATION
    packages: tuple[Path, ...] = ()
    is_strict: bool = True


def files_in(path: Path) -> list[Path]:
    """Returns the files to read for an argument: itself, or for a folder its JSON, XML and NDJSON files, sorted."""
    if not path.is_dir():
        return [path]
    return sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())


def items_in(name: str, stream: IO[bytes]) -> Iterator[Item]:
    """Yields the resources of a file: XML and JSON as a whole, NDJSON line by line.

    NDJSON is told by its name, or by a first line that is a JSON object of its own with more lines after it.

    Raises:
        OSError: it cannot be read.
    """
    first = stream.readline(MAX_LINE_BYTES)
    if name.lower().endswith(".ndjson"):
        yield from _lines(name, first, stream)
        return
    rest = stream.readline(MAX_LINE_BYTES)
    if rest.strip() and _is_object(first) and rest.lstrip()[:1] == b"{":
        yield Item(f"{name}:1", first.rstrip(b"\r\n"))
        yield from _lines(name, rest, stream, 2)
        return
    yield Item(name, first + rest + stream.read())


def _lines(name: str, first: bytes, stream: IO[bytes], number: int = 1) -> Iterator[Item]:
    line = first
    while line:
        if line.strip():
            yield Item(f"{name}:{number}", line.rstrip(b"\r\n"))
        number += line.endswith(b"\n")
        line = stream.readline(MAX_LINE_BYTES)


def _is_object(line: bytes) -> bool:
    try:
        json_codec.decode(line)
    except FhirError:
        return False
    return True


@cache
def _validator(canonical_base: str, packages: tuple[Path, ...]) -> Validator:
    """The definitions of a process, loaded once."""
    return Validator(load_definitions(packages=packages, base=canonical_base))


def check(item: Item, rules: Rules) -> Checked:
    """Validates one item; text that cannot be read is a finding like any other."""
    validator = _validator(rules.canonical_base, rules.packages)
    try:
        resource, findings = _read(item)
    except FhirError as error:
        return Checked(item.name, located(error.issues, item.text), {}, len(item.text))
    shown = _ORDER[: _ORDER.index(rules.least) + 1]
    policy = STRICT if rules.is_strict else SERVER
    issues = [
        i
        for i in (*findings, *validator.check(resource, profiles=rules.profiles, policy=policy))
        if i.severity in shown
    ]
    return Checked(item.name, located(issues, item.text), _entries(resource) if issues else {}, len(item.text))


def _read(item: Item) -> tuple[JsonObject, tuple[Issue, ...]]:
    if item.text.removeprefix(_BOM).lstrip()[:1] == b"<":
        return xml_codec.read(item.text, r4_model())
    return json_codec.decode(item.text), ()


def _entries(resource: JsonObject) -> dict[str, str]:
    if resource.get("resourceType") != "Bundle" or not isinstance(resource.get("entry"), list):
        return {}
    named = ((f"Bundle.entry[{n}]", _name(e)) for n, e in enumerate(resource["entry"]))
    return {path: name for path, name in named if name}


def _name(entry: object) -> str:
    """`Patient/p1` of an entry, or its type and fullUrl."""
    inner = entry.get("resource") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(inner, dict):
        return ""
    return f"{inner.get('resourceType', '?')}/{inner.get('id') or entry.get('fullUrl') or '?'}"


def chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Groups items into shares of a worker, in order."""
    chunk: list[Item] = []
    size = 0
    for item in items:
        if chunk and (len(chunk) == CHUNK_ITEMS or size + len(item.text) > CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(item)
        size += len(item.text)
    if chunk:
        yield chunk


def _check_chunk(chunk: list[Item], rules: Rules) -> list[Checked]:
    return [check(item, rules) for item in chunk]


def check_all(items: Iterable[Item], rules: Rules, *, jobs: int = 1) -> Iterator[Checked]:
    """Yields what was found in each item, in the order of the items, with up to `jobs` processes beside this one.

    One process starts sooner than several: input that is a single chunk, and `jobs` of 1, are checked here. At most
    `AHEAD` chunks a process are read ahead, however long the input is.

    Raises:
        BrokenProcessPool: a worker was killed.
    """
    if jobs <= 1:
        yield from (check(item, rules) for item in items)
        return
    shares = chunks(items)
    first = list(islice(shares, 2))
    if len(first) < 2:
        yield from (check(item, rules) for share in first for item in share)
        return
    yield from _checked_by_workers(chain(first, shares), rules, jobs)


def _checked_by_workers(shares: Iterable[list[Item]], rules: Rules, jobs: int) -> Iterator[Checked]:
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        waiting: deque[Future[list[Checked]]] = deque()
        for share in shares:
            waiting.append(pool.submit(_check_chunk, share, rules))
            if len(waiting) >= jobs * AHEAD:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
