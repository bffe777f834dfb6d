"""Attachments: size and hash that are stated are those of the data, https://hl7.org/fhir/R4/datatypes.html#attachment."""

from base64 import b64decode, b64encode
from hashlib import sha1
from typing import Any

from fhir_server.validation.report import Finding, Findings, at, found, shown
from fhir_server.validation.rules.severity import by_policy
from fhir_server.validation.site import Build, Check, Scope


def build_attachment(_: Build) -> Check:
    """Returns the check that `size` is the number of bytes in `data`, and `hash` their SHA-1, where both are there."""
    return _check


def _check(value: Any, scope: Scope) -> Findings | None:
    data, size, stated = value.get("data"), value.get("size"), value.get("hash")
    if type(data) is not str:
        return None
    actual = size_of(data)
    if actual is None:
        return None
    faults: Findings = []
    if type(size) is int and size != actual:
        faults += at(found("validation.attachment-size", size=size, found=actual), "size")
    if type(stated) is str:
        faults += _hash_faults(data, "".join(stated.split()), scope)
    return faults or None


def _hash_faults(data: str, stated: str, scope: Scope) -> Findings:
    try:
        actual = b64encode(sha1(b64decode(data), usedforsecurity=False).digest()).decode()
    except ValueError:
        return []  # no Base64: that is said of the data
    if stated == actual:
        return []
    params = {"hash": shown(stated), "found": actual}
    return at([Finding("validation.attachment-hash", params, by_policy(scope.policy))], "hash")


def size_of(data: str) -> int | None:
    """Returns how many bytes Base64 text stands for, None when it is no Base64."""
    text = "".join(data.split())
    whole, rest = divmod(len(text), 4)
    return None if rest else whole * 3 - text[-2:].count("=")
