"""If-Match and If-None-Match of writes, and what a read's If-None-Match knows, https://www.rfc-editor.org/rfc/rfc9110#section-13.1."""

from fhir_server.errors import PreconditionFailed
from fhir_server.fhir.shapes import VersionId
from fhir_server.interactions.messages import FhirRequest, version_of_etag
from fhir_server.store.contract import Key, StoredVersion


def is_named(tags: str, version: VersionId) -> bool:
    """Tells whether a list of ETags (`W/"2", "3"`) names a version; `*` names any. Weak and strong ones count alike."""
    return any(tag.strip() == "*" or version_of_etag(tag) == str(version) for tag in tags.split(","))


def check_if_match(key: Key, wanted: str | None, current: StoredVersion | None) -> None:
    """Accepts a missing If-Match, or one that names the current version.

    Raises:
        PreconditionFailed: it names other versions, or the resource does not exist.
    """
    if wanted is None:
        return
    if current is None or current.body is None:
        raise PreconditionFailed.of("rest.version-missing", wanted=wanted, key=str(key))
    if not is_named(wanted, current.version):
        raise PreconditionFailed.of("rest.version-conflict", wanted=wanted, current=current.version, key=str(key))


def check_if_none_match(request: FhirRequest, current: StoredVersion | None) -> None:
    """Accepts an update whose If-None-Match does not name what is there; `*` lets it create only.

    Raises:
        PreconditionFailed: it names the current version.
    """
    tags = request.header("if-none-match")
    if tags is None or current is None or current.body is None:
        return
    if is_named(tags, current.version):
        raise PreconditionFailed.of("rest.version-present", tags=tags, current=current.version, key=str(current.key))
