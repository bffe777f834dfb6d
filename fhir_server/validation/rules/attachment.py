"""Attachments: the size that is stated is that of the data, https://hl7.org/fhir/R4/datatypes.html#attachment."""

from typing import Any

from fhir_server.validation.report import Findings, at, found
from fhir_server.validation.site import Build, Check, Scope


def build_attachment(_: Build) -> Check:
    """Returns the check that `size` is the number of bytes in `data`, where both are there."""
    return _check


def _check(value: Any, _: Scope) -> Findings | None:
    data, size = value.get("data"), value.get("size")
    if type(data) is not str or type(size) is not int:
        return None
    actual = size_of(data)
    return None if actual in (None, size) else at(found("validation.attachment-size", size=size, found=actual), "size")


def size_of(data: str) -> int | None:
    """Returns how many bytes Base64 text stands for, None when it is no Base64."""
    text = "".join(data.split())
    whole, rest = divmod(len(text), 4)
    return None if rest else whole * 3 - text[-2:].count("=")
