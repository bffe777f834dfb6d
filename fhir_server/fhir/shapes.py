"""Named shapes of FHIR data, https://hl7.org/fhir/R4/json.html."""

from typing import Any, NewType, TypeAlias

JsonObject: TypeAlias = dict[str, Any]
"""A JSON object: str keys; values are str, bool, int, Decimal (never float), list or JsonObject.

A resource is one that has `resourceType`. Numbers with a point or exponent are `Decimal`, so that `1.00` stays `1.00`.
"""

ResourceType = NewType("ResourceType", str)
"""`Patient`, `Observation`, ... as R4 spells it."""

ResourceId = NewType("ResourceId", str)
"""1 to 64 characters of `A-Z a-z 0-9 - .`."""

VersionId = NewType("VersionId", int)
"""1, 2, 3 ... in the order of the versions of one resource; `meta.versionId` is its decimal text."""

Moment = NewType("Moment", int)
"""Number of a commit; every commit of a store has a larger one than those before."""

Canonical = NewType("Canonical", str)
"""Canonical URL of a definition, without `|version`."""
