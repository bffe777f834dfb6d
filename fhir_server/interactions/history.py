"""history of one resource: `GET [type]/[id]/_history`, https://hl7.org/fhir/R4/http.html#history."""

from datetime import datetime

from fhir_server.errors import NotFound, SearchValueInvalid
from fhir_server.fhir.bundles import BundleEntry, Link, bundle_bytes
from fhir_server.fhir.dates import range_of
from fhir_server.fhir.shapes import ResourceId, ResourceType
from fhir_server.interactions.context import Parts
from fhir_server.interactions.messages import FhirRequest, FhirResponse, etag_of
from fhir_server.interactions.queries import count_of, refuse_unknown, self_url
from fhir_server.store.contract import Key, StoredVersion

PARAMETERS = ("_count", "_since", "_format", "_pretty")


async def history(parts: Parts, request: FhirRequest, type_: str, id_: str) -> FhirResponse:
    """Returns the versions of one resource, newest first, deletions included; `_since` is inclusive.

    Raises:
        NotFound: there never was such a resource.
    """
    refuse_unknown(request, PARAMETERS)
    key = Key(ResourceType(type_), ResourceId(id_))
    since = _since_of(parts, request)
    async with parts.store.snapshot() as snapshot:
        versions = [v async for v in snapshot.history(key)]
    if not versions:
        raise NotFound.of("rest.not-found", key=str(key))
    wanted = [v for v in versions if since is None or v.updated_at >= since]
    shown = wanted[: count_of(parts, request)]
    entries = [_entry(request.base, v) for v in shown]
    links = [Link("self", self_url(request, request.query))]
    return FhirResponse(200, bundle_bytes("history", entries, links, total=len(wanted)))


def _since_of(parts: Parts, request: FhirRequest) -> datetime | None:
    text = dict(request.query).get("_since")
    if text is None:
        return None
    try:
        low = range_of(text, parts.zone).low
    except ValueError:
        expected = "an instant such as 2026-01-31T08:00:00+08:00"
        raise SearchValueInvalid.of(
            "rest.parameter-invalid", "_since", name="_since", value=text, expected=expected
        ) from None
    return datetime.fromtimestamp(low / 1_000_000, tz=parts.zone)


def _entry(base: str, version: StoredVersion) -> BundleEntry:
    key = version.key
    created = version.method == "POST" or (version.method == "PUT" and version.version == 1)
    status = "204" if version.body is None else "201" if created else "200"
    url = key.type if version.method == "POST" else str(key)
    return BundleEntry(
        full_url=f"{base}/{key}",
        resource=version.body,
        request={"method": version.method, "url": url},
        response={
            "status": status,
            "etag": etag_of(version.version),
            "lastModified": version.updated_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        },
    )
