"""Which search parameters a type offers here, https://hl7.org/fhir/R4/search.html#all."""

from collections.abc import Mapping, Sequence

from fhir_server.definitions.registry import ResourceSupport, SearchParameter
from fhir_server.search.kinds import KINDS

NOT_OFFERED = frozenset({"_text", "_content", "_list", "_has", "_type", "_query", "_filter"})
"""Parameters of R4 that this server refuses by name."""


def offered(support: ResourceSupport) -> Mapping[str, SearchParameter]:
    """Returns the parameters of a type that can be searched: of a kind that is built, with an expression."""
    return {
        code: parameter
        for code, parameter in support.search.items()
        if parameter.kind in KINDS and parameter.expression and code not in NOT_OFFERED
    }


def references(support: ResourceSupport) -> Mapping[str, SearchParameter]:
    """Returns the offered parameters of kind reference: those that includes can follow."""
    return {code: parameter for code, parameter in offered(support).items() if parameter.kind == "reference"}


def listed(names: Sequence[str] | Mapping[str, object]) -> str:
    """Returns names for a message, in order."""
    return ", ".join(sorted(names))
