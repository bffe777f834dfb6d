"""What a client gets back after a write, as its Prefer header asks, https://hl7.org/fhir/R4/http.html#ops."""

from fhir_server.fhir.json_codec import encode
from fhir_server.fhir.outcomes import language_of, operation_outcome
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.store.contract import StoredVersion


def written(request: FhirRequest, stored: StoredVersion, status: int) -> FhirResponse:
    """Answers a write with the stored version: its bytes, nothing, or an OperationOutcome, as preferred."""
    prefer = request.header("prefer") or ""
    body = stored.body or b""
    if "return=minimal" in prefer:
        body = b""
    elif "return=OperationOutcome" in prefer:
        body = encode(operation_outcome((), language_of(request.header("accept-language"))))
    location = f"{stored.key}/_history/{stored.version}"
    return FhirResponse(status, body, stored.version, stored.updated_at, location)
