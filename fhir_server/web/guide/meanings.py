"""What a search parameter is about, in words: its own, or those of the elements that its expression leads to.

See https://hl7.org/fhir/R4/searchparameter.html. R4's own parameters are kept without their descriptions.
"""

import re
from collections.abc import Iterator

from fhir_server.definitions.documentation import Documentation, read_documentation
from fhir_server.definitions.registry import Definitions, ResourceSupport, SearchParameter

_PATH = re.compile(r"\b[A-Z][A-Za-z]+(?:\.[a-z][A-Za-z]*\b(?!\())+")
STRUCTURES = "http://hl7.org/fhir/StructureDefinition/"
_OF_ALL = {
    "_content": "Words anywhere in the resource.",
    "_text": "Words in the narrative.",
    "_filter": "A condition in the language of _filter.",
    "_list": "Resources that a List names, by its id.",
    "_has": "Resources that others refer to: _has:Observation:patient:code=1234-5.",
}


class Meanings:
    """Looks meanings up; what it has read of R4's documentation it keeps, so it should not live long."""

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions
        self._documentation: Documentation = read_documentation()
        self._shorts: dict[str, dict[str, str]] = {}

    def of_type(self, type_: str) -> str:
        """Returns the sentence that R4 has for a type; empty when it has none."""
        return self._shorts_of(type_).get(type_, "")

    def of_parameter(self, parameter: SearchParameter, support: ResourceSupport) -> str:
        """Returns a sentence about a parameter."""
        if parameter.description:
            return parameter.description
        if parameter.components:
            codes = {p.url: p.code for p in support.search.values()}
            return " $ ".join(codes.get(url, url.rpartition("/")[2]) for url, _ in parameter.components)
        found = dict.fromkeys(filter(None, map(self._of_path, _paths(parameter.expression))))
        return "; ".join(found) or _OF_ALL.get(parameter.code, "")

    def _of_path(self, path: str) -> str:
        """Returns the short text of the last element of a path, as far as R4 knows it."""
        current, *names = path.split(".")
        text = ""
        for name in names:
            shorts = self._shorts_of(current.partition(".")[0])
            text = shorts.get(f"{current}.{name}") or shorts.get(f"{current}.{name}[x]") or text
            known = self._definitions.model.properties.get(current, {}).get(name)
            if known is None:
                break
            current = known.type
        return text

    def _shorts_of(self, type_: str) -> dict[str, str]:
        if type_ not in self._shorts:
            found = self._documentation.snapshot(STRUCTURES + type_) if type_ else None
            elements = found["snapshot"]["element"] if found else ()
            self._shorts[type_] = {one["path"]: one["short"] for one in elements}
        return self._shorts[type_]


def _paths(expression: str) -> Iterator[str]:
    return (found[0] for found in _PATH.finditer(expression))
