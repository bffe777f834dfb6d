"""Reference parameters whose values name resources by canonical URL, https://hl7.org/fhir/R4/references.html#canonical."""

from functools import lru_cache

from fhir_server import fhirpath
from fhir_server.definitions.registry import SearchParameter
from fhir_server.fhir.shapes import ResourceType
from fhir_server.search.kinds import token
from fhir_server.search.query import AllOf, Clause, KeyIs


def names_by_url(parameter: SearchParameter, type_: ResourceType) -> bool:
    """Tells whether all values of a parameter of a type are canonical URLs (`QuestionnaireResponse?questionnaire`)."""
    return _finds_canonicals(parameter.expression, type_)


@lru_cache(1024)
def _finds_canonicals(expression: str, type_: ResourceType) -> bool:
    found = fhirpath.compile(expression, type_).lister()
    return found is not None and found[1] == "canonical"


def named_clause(canonical: str) -> Clause:
    """Returns the clause that a resource is what `url`, `url|version` or either with a `#fragment` names."""
    url, bar, version = without_fragment(canonical).partition("|")
    is_called = KeyIs("url", url)
    return AllOf((is_called, KeyIs("version", token.key(version, "")))) if bar else is_called


def without_fragment(canonical: str) -> str:
    """Returns a canonical that names a whole resource."""
    return canonical.partition("#")[0]
