"""batch: every entry on its own, https://hl7.org/fhir/R4/http.html#transaction."""

from fhir_server.errors import Issue
from fhir_server.fhir.bundles import BundleEntry, bundle_bytes
from fhir_server.fhir.json_codec import encode
from fhir_server.fhir.outcomes import language_of, operation_outcome
from fhir_server.fhir.shapes import JsonObject
from fhir_server.interactions.context import Parts
from fhir_server.interactions.entries import read_entry
from fhir_server.interactions.messages import FhirRequest, FhirResponse, etag_of, stamp


async def batch(parts: Parts, request: FhirRequest, bundle: JsonObject) -> FhirResponse:
    """Answers each entry as if it had come alone; a failing one does not touch the others."""
    from fhir_server.interactions.dispatch import dispatch

    answers = []
    for index, raw in enumerate(bundle.get("entry", [])):
        entry, issues = read_entry(index, raw, request.base)
        if entry is None:
            answers.append(_refused(request, issues))
        else:
            answers.append(answer_entry(request.base, await dispatch(parts, entry.as_request(request))))
    return FhirResponse(200, bundle_bytes("batch-response", answers))


def answer_entry(base: str, response: FhirResponse) -> BundleEntry:
    """Turns a response into the entry of a response Bundle; a failure's body becomes its outcome."""
    line = {"status": str(response.status)}
    if response.location is not None:
        line["location"] = f"{base}/{response.location}"
    if response.version is not None:
        line["etag"] = etag_of(response.version)
    if response.updated_at is not None:
        line["lastModified"] = stamp(response.updated_at)
    if response.status >= 400 or response.body.startswith(b'{"resourceType":"OperationOutcome"'):
        return BundleEntry(response=line, outcome=response.body or None)
    return BundleEntry(resource=response.body or None, response=line)


def _refused(request: FhirRequest, issues: list[Issue]) -> BundleEntry:
    outcome = operation_outcome(issues, language_of(request.header("accept-language")))
    return BundleEntry(response={"status": "400"}, outcome=encode(outcome))
