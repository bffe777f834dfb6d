"""The official validator's recorded cases as calls of our validator: settings, references outside, loaded definitions.

See conformance/suites/hl7-validator-r4/suite.toml for the format and for how to run it with another runner.
"""

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache

from fhir_server.definitions.packages import load_definitions
from fhir_server.definitions.registry import Definitions
from fhir_server.errors import FhirError, Issue, Severity
from fhir_server.fhir import json_codec, xml_codec
from fhir_server.fhir.outcomes import operation_outcome
from fhir_server.fhir.shapes import JsonObject
from fhir_server.validation import Validator
from fhir_server.validation.policy import Policy, References

File = tuple[str, bytes]

REFERENCES = {
    "CHECK_VALID": References.VALID,
    "CHECK_EXISTS_AND_TYPE": References.TYPE,
    "CHECK_TYPE_IF_EXISTS": References.TYPE_IF_FOUND,
    "CHECK_EXISTS": References.EXISTS,
}
DOMAINS = ("http://hl7.org/fhir/tools/StructureDefinition/",)
NAMED = ("example.org", "acme.com", "nema.org")
NEWER = (
    "additional-",
    "alternate-",
    "artifact-",
    "cqf-",
    "endpoint-",
    "individual-",
    "organization-",
    "version-specific-",
)
"""Names of extensions since R4 from the package of extensions that the official validator loads beside R4."""


def validate(
    content: bytes,
    *,
    format: str,  # noqa: A002 - the suite's own name
    profiles: Sequence[str],
    load: Sequence[File],
    load_r5: Sequence[File],
    fetch: Mapping[str, File],
    options: JsonObject,
) -> JsonObject:
    """Returns the OperationOutcome of one case."""
    try:
        return operation_outcome(
            _issues((f"case.{format}", content), profiles, (*load, *load_r5), fetch, options), "en"
        )
    except FhirError as error:
        return operation_outcome(error.issues, "en")


def _issues(
    case: File, profiles: Sequence[str], load: Sequence[File], fetch: Mapping[str, File], options: JsonObject
) -> list[Issue]:
    resource, noted = _decoded(case)
    validator = _validator(tuple(load))
    world = {"Patient/test": {"resourceType": "Patient", "id": "test"}}
    for reference, file in fetch.items():
        world[reference] = _decoded(file)[0]
    asked = [*profiles, *_asked_by_guides(load, resource["resourceType"])]
    found = validator.check(resource, profiles=asked, policy=_policy(options), resolve=world.get)
    return [*noted, *found]


def _asked_by_guides(load: Sequence[File], type_: str) -> list[str]:
    """Returns the profiles that loaded implementation guides ask of every resource of a type."""
    guides = [part for file in load for part in _parts(_decoded(file)[0])]
    listed = [
        one for guide in guides if guide["resourceType"] == "ImplementationGuide" for one in guide.get("global", ())
    ]
    return [one["profile"] for one in listed if one["type"] == type_]


def _policy(options: JsonObject) -> Policy:
    severity = options.get("best-practice")
    return Policy(
        best_practice=Severity(severity.lower()) if severity else None,
        unknown_extension=Severity.ERROR,
        extension_domains=(*_domains(), *filter(None, [options.get("allowed-extension-domain")])),
        type_from_url=bool(options.get("assumeValidRestReferences")),
        references=REFERENCES.get(options.get("validateReference", ""), References.IGNORE),
        check_contained=options.get("validateContains") != "IGNORE",
        examples=options.get("examples") is not False,
        html_in_markdown=not options.get("noHtmlInMarkdown"),
        security_checks=bool(options.get("security-checks")),
        languages=tuple(part.strip() for part in options.get("language", "en").split(",")),
        strict=True,
    )


def _domains() -> tuple[str, ...]:
    return (*DOMAINS, *NAMED, *(f"http://hl7.org/fhir/StructureDefinition/{name}" for name in NEWER))


@cache
def _definitions() -> Definitions:
    return load_definitions()


@lru_cache(maxsize=2)
def _validator(load: tuple[File, ...]) -> Validator:
    if not load:
        return Validator(_definitions())
    resources = [one for file in load for one in _parts(_decoded(file)[0])]
    return Validator(_definitions().extended(resources, is_packaged=True))


def _parts(resource: JsonObject) -> list[JsonObject]:
    """Returns the definitions in a loaded file; many of the suite's lack the name that R4 wants them to have."""
    if resource["resourceType"] != "Bundle":
        return [{"name": str(resource.get("id")), **resource}]
    return [part for entry in resource.get("entry", ()) for part in _parts(entry["resource"])]


def _decoded(file: File) -> tuple[JsonObject, Sequence[Issue]]:
    name, content = file
    if name.endswith(".xml"):
        return xml_codec.read(content, _definitions().model)
    return json_codec.decode(content), ()
