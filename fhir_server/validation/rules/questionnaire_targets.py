"""Attachments and references as answers, https://hl7.org/fhir/R4/questionnaire-profiles.html."""

from decimal import Decimal

from fhir_server.fhir.shapes import JsonObject
from fhir_server.validation.report import Findings, at, found, joined, listing, shown
from fhir_server.validation.rules.objects import text_of
from fhir_server.validation.rules.questionnaire_form import Item
from fhir_server.validation.rules.resolution import resolve, target_type
from fhir_server.validation.site import Scope

MIME_TYPE = "http://hl7.org/fhir/StructureDefinition/mimeType"
MAX_SIZE = "http://hl7.org/fhir/StructureDefinition/maxSize"
"""Bytes; https://build.fhir.org/ig/HL7/fhir-extensions/StructureDefinition-maxSize.html."""
RESOURCE = "http://hl7.org/fhir/StructureDefinition/questionnaire-referenceResource"


def check_attachment(attachment: JsonObject, item: Item) -> Findings | None:
    """Checks the kind and the size of an Attachment."""
    return joined(_wrong_kind(attachment, item), _too_large(attachment, item))


def _wrong_kind(attachment: JsonObject, item: Item) -> Findings | None:
    allowed = [one.value for one in item.limits.get(MIME_TYPE, ()) if type(one.value) is str]
    kind = text_of(attachment, "contentType")
    if not allowed or any(kind.startswith(one) for one in allowed):
        return None
    if not kind:
        return found("validation.questionnaire-mime-missing", expected=listing(allowed))
    return at(found("validation.questionnaire-mime", found=shown(kind), expected=listing(allowed)), "contentType")


def _too_large(attachment: JsonObject, item: Item) -> Findings | None:
    limit = item.limit(MAX_SIZE)
    data = "".join(text_of(attachment, "data").split())
    size = len(data) * 3 // 4 - data[-2:].count("=")
    if not isinstance(limit, (int, Decimal)) or not data or size <= limit:
        return None
    return found("validation.questionnaire-size", found=size, limit=limit)


def check_target(reference: JsonObject, item: Item, scope: Scope) -> Findings | None:
    """Tells whether a Reference points at a type that its question allows, where the type is known."""
    allowed = {one.value for one in item.limits.get(RESOURCE, ()) if type(one.value) is str}
    text = text_of(reference, "reference")
    type_ = target_type(reference, scope) if allowed and text else None
    is_known = scope.policy.type_from_url or (bool(text) and resolve(text, scope) is not None)
    if not type_ or not is_known or type_ in allowed:
        return None
    return found("validation.questionnaire-reference", found=type_, expected=listing(allowed))
