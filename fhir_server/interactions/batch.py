"""batch: every entry on its own, https://hl7.org/fhir/R4/http.html#transaction."""

from collections.abc import Collection

from fhir_server.errors import Issue, issue
from fhir_server.fhir.bundles import BundleEntry, bundle_bytes
from fhir_server.fhir.json_codec import encode
from fhir_server.fhir.outcomes import language_of, operation_outcome
from fhir_server.fhir.shapes import JsonObject
from fhir_server.interactions.bundle_references import references_in
from fhir_server.interactions.context import Parts
from fhir_server.interactions.entries import Entry, read_entry
from fhir_server.interactions.messages import FhirRequest, FhirResponse, etag_of, stamp


async def batch(parts: Parts, request: FhirRequest, bundle: JsonObject) -> FhirResponse:
    """Answers each entry as if it had come alone; a failing one does not touch the others."""
    from fhir_server.interactions.dispatch import dispatch

    answers = []
    read = [read_entry(index, raw, request.base) for index, raw in enumerate(bundle.get("entry", []))]
    created = {entry.full_url for entry, _ in read if entry is not None and entry.method == "POST" and entry.full_url}
    for entry, issues in read:
        wrong = issues if entry is None else _leaning(entry, created)
        if entry is None or wrong:
            answers.append(_refused(request, wrong))
        else:
            answers.append(answer_entry(entry, request.base, await dispatch(parts, entry.as_request(request))))
    return FhirResponse(200, bundle_bytes("batch-response", answers))


def _leaning(entry: Entry, created: Collection[str]) -> list[Issue]:
    """Tells references to what another entry creates: entries of a batch stand alone, and nobody would resolve them."""
    if entry.method not in ("POST", "PUT") or not entry.resource or entry.resource.get("resourceType") == "Bundle":
        return []
    pairs = references_in(entry.resource, f"{entry.where}.resource")
    return [issue("bundle.batch-reference", place, reference=text) for place, text in pairs if text in created]


def answer_entry(entry: Entry, base: str, response: FhirResponse) -> BundleEntry:
    """Turns the response to an entry into one of a response Bundle; a failure's body becomes its outcome."""
    line = {"status": str(response.status)}
    if response.location is not None:
        line["location"] = f"{base}/{response.location}"
    if response.version is not None:
        line["etag"] = etag_of(response.version)
    if response.updated_at is not None:
        line["lastModified"] = stamp(response.updated_at)
    if response.status >= 400 or response.body.startswith(b'{"resourceType":"OperationOutcome"'):
        return BundleEntry(response=line, outcome=response.body or None)
    return BundleEntry(resource=None if entry.method == "HEAD" else response.body or None, response=line)


def _refused(request: FhirRequest, issues: list[Issue]) -> BundleEntry:
    outcome = operation_outcome(issues, language_of(request.header("accept-language")))
    return BundleEntry(response={"status": "400"}, outcome=encode(outcome))
