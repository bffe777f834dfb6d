"""What a client gets back after a write, as its Prefer header asks, https://hl7.org/fhir/R4/http.html#ops."""

from collections.abc import Sequence

from fhir_server.errors import Issue
from fhir_server.fhir.json_codec import encode
from fhir_server.fhir.outcomes import language_of, operation_outcome
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.interactions.prefer import preference_of
from fhir_server.store.contract import StoredVersion


def written(request: FhirRequest, stored: StoredVersion, status: int, issues: Sequence[Issue] = ()) -> FhirResponse:
    """Answers a write with the stored version: its bytes, nothing, or an OperationOutcome of `issues`, as preferred."""
    wanted = preference_of(request).returns
    body = stored.body or b""
    if wanted == "minimal":
        body = b""
    elif wanted == "OperationOutcome":
        body = outcome_of(request, issues)
    location = f"{stored.key}/_history/{stored.version}"
    return FhirResponse(status, body, stored.version, stored.updated_at, location)


def outcome_of(request: FhirRequest, issues: Sequence[Issue]) -> bytes:
    """Returns the OperationOutcome of some findings in the client's language."""
    return encode(operation_outcome(issues, language_of(request.header("accept-language"))))
