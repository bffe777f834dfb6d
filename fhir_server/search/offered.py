"""Which search parameters a type offers here, https://hl7.org/fhir/R4/search.html#all."""

from collections.abc import Mapping, Sequence

from fhir_server.definitions.registry import ResourceSupport, SearchParameter
from fhir_server.errors import SearchParameterUnknown
from fhir_server.search.kinds import KINDS

NOT_OFFERED = frozenset({"_text", "_content", "_has", "_type", "_query"})
"""Parameters of R4 that this server refuses by name."""

_COMPOSITE = "composite"
_SPECIAL = frozenset({"near"})
"""Parameters of kind `special` that are offered."""


def find_offered(code: str, support: ResourceSupport) -> SearchParameter | None:
    """Returns the parameter of that code if it can be searched: of a kind that is built, with an expression."""
    parameter = support.search.get(code)
    if parameter is None or not parameter.expression or code in NOT_OFFERED:
        return None
    return parameter if parameter.kind in KINDS or parameter.kind == _COMPOSITE or code in _SPECIAL else None


def offered_parameter(code: str, support: ResourceSupport) -> SearchParameter:
    """Returns the parameter of that code.

    Raises:
        SearchParameterUnknown: the type has none that can be searched; the issue lists those that can.
    """
    known = find_offered(code, support)
    if known is not None:
        return known
    defined = code in NOT_OFFERED or code in support.search
    key = "search.parameter-not-offered" if defined else "search.parameter-unknown"
    raise SearchParameterUnknown.of(key, code, name=code, type=support.type, valid=listed(offered(support)))


def offered(support: ResourceSupport) -> Mapping[str, SearchParameter]:
    """Returns every parameter of a type that can be searched."""
    found = {code: find_offered(code, support) for code in support.search}
    return {code: parameter for code, parameter in found.items() if parameter is not None}


def references(support: ResourceSupport) -> Mapping[str, SearchParameter]:
    """Returns the offered parameters of kind reference: those that includes can follow."""
    return {code: parameter for code, parameter in offered(support).items() if parameter.kind == "reference"}


def listed(names: Sequence[str] | Mapping[str, object]) -> str:
    """Returns names for a message, in order."""
    return ", ".join(sorted(names))
