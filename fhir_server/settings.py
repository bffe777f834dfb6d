"""Settings: every knob of the server, with its environment name, default, unit and one sentence.

`Settings.from_environment()` reads `FHIR_<NAME>`; the command line overrides. Nothing else reads the environment.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def _setting(default: Any, sentence: str) -> Any:
    return field(default=default, metadata={"sentence": sentence})


WORDS: Mapping[str, tuple[str, ...]] = {
    "validation": ("off", "report", "enforce"),
    "referential_integrity": ("on", "off"),
    "conditional_delete": ("single", "multiple"),
    "cascade_delete": ("on", "off"),
    "log_level": ("debug", "info", "warning", "error", "critical"),
}
"""Settings that know few words."""
"""What a write may do with invalid resources."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one server, frozen at start."""

    store: str = _setting("sqlite:///fhir.db", "Where resources are kept: sqlite:///PATH or sqlite:///:memory:.")
    host: str = _setting("127.0.0.1", "Address to listen on; anything but loopback needs --insecure.")
    port: int = _setting(8080, "TCP port to listen on.")
    workers: int = _setting(1, "Serving processes on one store; more than one needs a store in a file.")
    base_url: str = _setting("", "Public base URL of the FHIR endpoint; empty means what the client addressed.")
    canonical_base: str = _setting(
        "http://jtys.example/fhir", "Canonical base of our own profiles, code systems and identifiers."
    )
    packages: str = _setting("", "FHIR packages to load besides our own: .tgz files or folders, comma separated.")
    zone: str = _setting("Asia/Shanghai", "Time zone of dates and times that carry no offset.")
    validation: str = _setting("enforce", "What a write does with invalid resources: off, report or enforce.")
    max_body_bytes: int = _setting(20_000_000, "Largest request body, in bytes.")
    max_values: int = _setting(
        500_000, "Most values in a request body, counted by its commas and tags: each takes memory when it is read."
    )
    max_head_bytes: int = _setting(65_536, "Largest request line with its headers, in bytes.")
    head_limit_s: int = _setting(
        20, "How long a connection may be idle, or take to send the head of a request, in seconds."
    )
    max_connections: int = _setting(
        5000, "Most connections at a time; beyond, the one that has been idle for longest is closed."
    )
    max_held_bytes: int = _setting(
        32_000_000,
        "What the clients of a process may leave half sent or unread, in bytes; beyond, the slowest is refused.",
    )
    default_count: int = _setting(20, "Entries on a search page when _count is not given.")
    max_count: int = _setting(1000, "Most entries on a search page.")
    max_included: int = _setting(2000, "Most resources that _include and _revinclude may add to a page.")
    max_counted: int = _setting(
        1_000,
        "Matches that a search counts, and fewer where that takes long; _total=accurate and _summary=count count all.",
    )
    page_changes: int = _setting(
        10_000,
        "Changes of a type after which the page links of an older search end; each later page looks at them all.",
    )
    search_limit_ms: int = _setting(30_000, "How long one search or other read of the store may take, in milliseconds.")
    max_entries: int = _setting(5000, "Most entries in a transaction or batch.")
    referential_integrity: str = _setting("on", "Whether references must lead to a resource that is there: on or off.")
    conditional_delete: str = _setting(
        "single", "What a delete by criteria may do with several matches: single refuses, multiple deletes them."
    )
    cascade_delete: str = _setting("off", "Whether _cascade=delete also deletes what refers to a resource: on or off.")
    max_deleted: int = _setting(1000, "Most resources that one request may delete.")
    page_secret: str = _setting(
        "", "Secret that signs page links; empty makes one at start, so links end with the process."
    )
    fhirpath_limit_ms: int = _setting(500, "Processor time that one $fhirpath evaluation may take, in milliseconds.")
    cors_origins: str = _setting("*", "Origins that browsers may call from, comma separated; * is any, empty is none.")
    terminology_server: str = _setting(
        "", "FHIR base URL of a terminology server that is asked where this one does not know; empty asks nobody."
    )
    terminology_limit_ms: int = _setting(
        3000, "How long a question to that terminology server may take, in milliseconds."
    )
    max_expansion: int = _setting(1000, "Most codes that $expand returns at once; larger value sets come in pages.")
    log_level: str = _setting("info", "debug, info, warning, error or critical. Logs never carry personal data.")

    @property
    def package_paths(self) -> tuple[Path, ...]:
        """Where the packages of others lie."""
        return tuple(Path(path.strip()) for path in self.packages.split(",") if path.strip())

    def __post_init__(self) -> None:
        """A misspelt `enforce` or `on` must not mean less."""
        for name, words in WORDS.items():
            if getattr(self, name) not in words:
                msg = f"{name}={getattr(self, name)!r} is none of {', '.join(words)}"
                raise ValueError(msg)
        if self.workers < 1:
            msg = f"workers={self.workers} is none; at least one process must serve"
            raise ValueError(msg)
        if not _is_zone(self.zone):
            msg = f"zone={self.zone!r} is no time zone, such as Asia/Shanghai"
            raise ValueError(msg)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ, **given: Any) -> "Settings":
        """Reads `FHIR_<NAME>` for every field; `given` values that are not None win.

        Raises:
            ValueError: a number is not a number; the message names the variable.
        """
        values: dict[str, Any] = {}
        for f in fields(cls):
            name = "FHIR_" + f.name.upper()
            if given.get(f.name) is not None:
                values[f.name] = given[f.name]
            elif name in environment:
                values[f.name] = _read(name, environment[name], type(f.default))
        return cls(**values)


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _read(name: str, text: str, kind: type) -> Any:
    if kind is not int:
        return text
    try:
        return int(text)
    except ValueError:
        msg = f"{name}={text!r} is not a whole number"
        raise ValueError(msg) from None
