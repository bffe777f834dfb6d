"""Texts that only some receivers refuse: markup where none is meant, URIs that are none, codes left out.

See https://hl7.org/fhir/R4/security.html#narrative. All of it is asked for by the policy; without it nothing is walked.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from fhir_server.validation.report import Findings, found, shown
from fhir_server.validation.rules.uris import canonical_faults, own_url_faults, uri_faults
from fhir_server.validation.rules.walk import Spot, placed, spots
from fhir_server.validation.site import Build, Check, Scope

URIS: Mapping[str, Callable[[str, Scope], Findings]] = {
    "uri": uri_faults,
    "url": uri_faults,
    "canonical": canonical_faults,
}
"""What a strict policy asks of the types of URIs."""

_STARTS, _ENDS = "\u202a\u202b\u202d\u202e\u2066\u2067\u2068", "\u202c\u2069"
_TAG = re.compile(r"<[A-Za-z][\w:-]*(?:\s[^<>]*)?/?>")
_OPENED = re.compile(r"(?<!\\)</?[A-Za-z]\w*")
_LINK = re.compile(r"<(?:[a-z][a-z0-9+.-]+:[^\s<>]*|[\w.+-]+@[\w.-]+)>", re.IGNORECASE)
_CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)


def build_texts(build: Build) -> Check:
    """Returns the check of all texts of a resource, but for those of resources within it."""
    model = build.definitions.model

    def check(value: Any, scope: Scope) -> Findings | None:
        looks, is_strict = _looks(scope), scope.policy.strict
        if not looks and not is_strict:
            return None
        faults: Findings = []
        for spot in spots(value, model):
            if type(spot.value) is str and spot.type in looks:
                faults += placed(looks[spot.type](spot.value), spot)
            if is_strict:
                faults += placed(_strictly(spot, scope, build), spot)
        return faults or None

    return check


def _strictly(spot: Spot, scope: Scope, build: Build) -> Findings:
    value = spot.value
    if type(value) is str:
        is_own_url = spot.name == "url" and spot.type == "uri" and len(spot.way) == 1
        look = own_url_faults if is_own_url else URIS.get(spot.type)
        return [*(look(value, scope) if look else []), *_direction_faults(value)]
    return _absence(spot, build) if type(value) is dict and spot.type == "code" else []


def _direction_faults(text: str) -> Findings:
    """Returns the finding that a text leaves a change of writing direction open, or nothing: it is shown as another."""
    depth = sum(text.count(one) for one in _STARTS) - sum(text.count(one) for one in _ENDS)
    return found("validation.string-direction") if depth > 0 else []


def _looks(scope: Scope) -> Mapping[str, Callable[[str], Findings]]:
    looks: dict[str, Callable[[str], Findings]] = {}
    if scope.policy.security_checks:
        looks["string"] = string_faults
    if not scope.policy.html_in_markdown:
        looks["markdown"] = markdown_faults
    return looks


def string_faults(text: str) -> Findings:
    """Returns the finding that a string contains a tag, or nothing."""
    tag = _TAG.search(text)
    return found("validation.string-markup", found=shown(tag[0], 20)) if tag else []


def markdown_faults(text: str) -> Findings:
    """Returns the finding that markdown contains a tag outside code and links, or nothing."""
    tag = _OPENED.search(_LINK.sub("", _CODE.sub("", text)))
    return found("validation.markdown-markup", found=tag[0]) if tag else []


def _absence(spot: Spot, build: Build) -> Findings:
    """Returns the finding that a code with a required binding has extensions instead of a value, or nothing."""
    owner, last = spot.owner, spot.way[-1]
    if owner is None:
        return []
    value = owner.value.get(spot.name)
    if isinstance(last, int):
        value = value[last] if type(value) is list and last < len(value) else None
    if value is not None:
        return []
    root = build.definitions.structure_of_type(owner.type.partition(".")[0])
    element = next((one for one in root.elements if one.path == f"{owner.type}.{spot.name}"), None)
    if element is None or element.binding is None or element.binding.strength != "required":
        return []
    return found("validation.code-absent", valueSet=element.binding.value_set or "-")
