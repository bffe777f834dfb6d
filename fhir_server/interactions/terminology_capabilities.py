"""What the server knows of terminology: `GET metadata?mode=terminology`, https://hl7.org/fhir/R4/terminologycapabilities.html."""

from collections.abc import Collection, Iterator

from fhir_server.definitions.registry import Definitions
from fhir_server.fhir.shapes import JsonObject

EXPANDING = (
    ("filter", "A part of code or display."),
    ("count", "Most codes on a page."),
    ("offset", "The first code of a page."),
    ("activeOnly", "Without inactive codes."),
    ("includeDesignations", "With the designations of each code."),
    ("displayLanguage", "The language of the displays."),
)


def terminology_capabilities(definitions: Definitions, head: JsonObject, operations: Collection[str]) -> JsonObject:
    """Returns the TerminologyCapabilities; `head` is what a CapabilityStatement says of the software as well."""
    found: JsonObject = {"resourceType": "TerminologyCapabilities", **head, "codeSystem": list(_systems(definitions))}
    if "expand" in operations:
        parameters = [{"name": name, "documentation": text} for name, text in EXPANDING]
        found["expansion"] = {"hierarchical": True, "paging": True, "incomplete": False, "parameter": parameters}
    found["codeSearch"] = "all"
    if "validate-code" in operations:
        found["validateCode"] = {"translations": False}
    if "translate" in operations:
        found["translation"] = {"needsMap": True}
    return found | {"closure": {"translation": False}}


def _systems(definitions: Definitions) -> Iterator[JsonObject]:
    for url in definitions.canonicals("CodeSystem"):
        system = definitions.code_system(url)
        version = (system or {}).get("version")
        yield {"uri": url, **({"version": [{"code": version}]} if version else {})}
