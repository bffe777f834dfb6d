"""The variables that stand for URLs: %ucum, %sct, %loinc, %vs-x, %ext-x, https://hl7.org/fhir/R4/fhirpath.html#variables."""

_NAMED = {
    "ucum": "http://unitsofmeasure.org",
    "sct": "http://snomed.info/sct",
    "loinc": "http://loinc.org",
}
_NAMED_PREFIXES = {
    "vs-": "http://hl7.org/fhir/ValueSet/",
    "ext-": "http://hl7.org/fhir/StructureDefinition/",
    "cs-": "http://hl7.org/fhir/",
}


def named_url(name: str) -> str | None:
    """Returns the URL that `%ucum`, `%sct`, `%loinc`, `%vs-x`, `%ext-x` stand for, or None for other variables."""
    prefix = next((p for p in _NAMED_PREFIXES if name.startswith(p)), None)
    return _NAMED.get(name) if prefix is None else _NAMED_PREFIXES[prefix] + name.removeprefix(prefix)
