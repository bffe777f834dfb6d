"""A validator for R4, and one for profiles written down in the test."""

import json
from functools import cache

import pytest

from fhir_server.definitions.packages import load_definitions
from fhir_server.fhir import json_codec
from fhir_server.validation import Validator

BASE = "http://jtys.test/StructureDefinition"


@cache
def r4_validator():
    return Validator(load_definitions())


def found_by(validator, resource, **options: object):
    """Returns the (severity, key, path) of every finding."""
    checked = json_codec.decode(json.dumps(resource).encode())
    return {(str(i.severity), i.key, i.path) for i in validator.check(checked, **options)}


@pytest.fixture
def r4():
    """A validator that knows R4 and nothing else asked of it."""
    return r4_validator()


@pytest.fixture
def check():
    """Checks a resource against R4 alone."""
    return lambda resource, **options: found_by(r4_validator(), resource, **options)


@pytest.fixture
def validator_of(tmp_path):
    """Builds a validator that also knows the given definitions; a profile's snapshot may be sparse."""

    def build(*resources: object):
        for number, resource in enumerate(resources):
            (tmp_path / f"{number}.json").write_text(json.dumps(resource), "utf-8")
        return Validator(load_definitions(packages=[tmp_path]))

    return build


@pytest.fixture
def check_profile(validator_of):
    """Returns a function that checks a resource against profiles written down in the test; the first one is asked for."""

    def build(*resources: object):
        validator = validator_of(*resources)
        return lambda resource: found_by(validator, resource, profiles=[resources[0]["url"]])

    return build


@pytest.fixture
def profile():
    """Builds a StructureDefinition with a snapshot of the root and the given elements."""

    def build(type_, *elements: object, name="p", **more: object):
        root = {"id": type_, "path": type_, "min": 0, "max": "*"}
        full = [{"path": _path(e["id"]), "min": 0, "max": "*", **e} for e in elements]
        return {
            "resourceType": "StructureDefinition",
            "id": name,
            "url": f"{BASE}/{name}",
            "version": "1",
            "name": name,
            "status": "active",
            "kind": "resource" if type_ not in ("Extension", "Quantity") else "complex-type",
            "abstract": False,
            "type": type_,
            "baseDefinition": f"http://hl7.org/fhir/StructureDefinition/{type_}",
            "derivation": "constraint",
            "snapshot": {"element": [root, *full]},
            **more,
        }

    return build


def _path(id_):
    return ".".join(part.partition(":")[0] for part in id_.split("."))
