"""URIs that a strict look takes by their word: well-formed where they are URNs, leading to what is contained.

See https://hl7.org/fhir/R4/datatypes.html#uri and https://hl7.org/fhir/R4/references.html#canonical.
"""

import re

from fhir_server.validation.report import Findings, found, shown
from fhir_server.validation.rules.known_systems import is_absolute
from fhir_server.validation.rules.objects import objects
from fhir_server.validation.site import Scope

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_OID = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]*))+\Z", re.ASCII)


def uri_faults(text: str, _: Scope) -> Findings:
    """Returns the finding that a URI is no well-formed `urn:uuid:` or `urn:oid:`, though it starts as one, or nothing."""
    if text.startswith("urn:uuid:") and not _UUID.match(text[9:]):
        return found("validation.uri-uuid", value=shown(text))
    if text.startswith("urn:oid:") and not _OID.match(text[8:]):
        return found("validation.uri-oid", value=shown(text))
    return []


def canonical_faults(text: str, scope: Scope) -> Findings:
    """Returns the finding that a canonical names a contained resource that is not there, or is no URN, or nothing."""
    if not text.startswith("#"):
        return uri_faults(text.partition("|")[0], scope)
    holders = (scope.resource, scope.root)
    is_there = any(one.get("id") == text[1:] for holder in holders for _, one in objects(holder, "contained"))
    return [] if is_there else found("validation.canonical-contained", value=shown(text))


def own_url_faults(text: str, scope: Scope) -> Findings:
    """Returns the finding that the URL by which a resource is known is relative, or no URN, or nothing."""
    return uri_faults(text, scope) if is_absolute(text) else found("validation.definition-url", url=shown(text))
