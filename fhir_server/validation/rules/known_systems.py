"""What is at hand of a code system: its codes and their names, or a grammar, https://hl7.org/fhir/R4/terminologies-systems.html."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from fhir_server.fhir.shapes import JsonObject
from fhir_server.terminology.code_system import CodeSystem
from fhir_server.terminology.grammars import GRAMMARS
from fhir_server.terminology.naming import folded
from fhir_server.validation.rules.checksums import CHECKED
from fhir_server.validation.rules.objects import objects, text_of
from fhir_server.validation.site import Build

GROWING = ("http://terminology.hl7.org/", "http://hl7.org/fhir/sid/", "urn:iso:")
"""Systems that grow outside R4: what is at hand is one state of them, so a code that is unknown here may be newer."""
VARIED = ("urn:iso:",)
"""Systems whose names are spelt in many ways: only the name of another code is certainly wrong."""

_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+\Z")
_HAN = re.compile(r"[\u3400-\u9fff]")

UNKNOWN, FRAGMENT, MISFORMED = "validation.code-unknown", "validation.code-fragment", "validation.code-misformed"


@dataclass(frozen=True, slots=True)
class Known:
    """A code system at hand: a list, a grammar or a check digit. `fault` bars its URL from standing for one.

    `others` are names that value sets give to its codes.
    """

    url: str
    system: CodeSystem | None = None
    is_code: Callable[[str], bool] | None = None
    fault: str = ""
    others: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def is_growing(self) -> bool:
        """Whether an unknown code may be a newer one."""
        return self.url.startswith(GROWING)

    @property
    def has_all_names(self) -> bool:
        """Whether the names at hand are all there are: of a system that is here in part, other names may be right too."""
        return self.system is not None and self.system.is_complete

    def code_fault(self, code: str) -> str | None:
        """Returns the key of what is wrong with a code, or None: it exists, or nobody can tell here."""
        if self.is_code is not None and not self.is_code(code):
            return MISFORMED
        if self.system is None or not self.system.concepts or self.system.find(code) is not None:
            return None
        return UNKNOWN if self.system.is_complete else FRAGMENT if self._is_fragment else None

    @property
    def _is_fragment(self) -> bool:
        return self.system is not None and self.system.facts.get("content") == "fragment"

    def names(self, code: str) -> tuple[str, ...]:
        """Returns the displays and designations of a code, in every language that is known."""
        concept = self.system.find(code) if self.system else None
        if concept is None:
            return ()
        own = [concept.display] if concept.display else []
        return (*own, *(one["value"] for one in concept.designations if "value" in one))

    def accepts(self, code: str, display: str) -> bool:
        """Tells whether a display is one of the code's, or nobody can tell here.

        Nobody can where no name is known, or where this one is Chinese and those known are not.
        """
        names, wanted = self.names(code), folded(display)
        if not names or any(folded(one) == wanted for one in names) or wanted in self.others.get(code, ()):
            return True
        if self.url.startswith(VARIED):
            return not self._is_name_of_another(wanted)
        return bool(_HAN.search(display)) and not any(_HAN.search(one) for one in names)

    def _is_name_of_another(self, wanted: str) -> bool:
        codes = self.system.concepts if self.system else ()
        return any(folded(name) == wanted for code in codes for name in self.names(code))


def is_absolute(uri: str) -> bool:
    """Tells whether a URI is absolute: a scheme and something behind it."""
    return _ABSOLUTE.match(uri) is not None


def find_known(url: str, build: Build) -> Known | None:
    """Returns what is at hand of a code system, or why the URL of something else cannot stand for one; else None."""
    if not is_absolute(url):
        return Known(url, fault="validation.coding-system-relative")
    grammar = GRAMMARS.get(url)
    if grammar is not None:
        return Known(url, is_code=grammar.is_code)
    system = build.terminology.system(url)
    if system is not None:
        is_supplement = system.facts.get("content") == "supplement" or bool(system.facts.get("supplements"))
        fault = "validation.coding-system-supplement" if is_supplement else ""
        return Known(url, system, CHECKED.get(url), fault, _others(url, build))
    if build.definitions.value_set(url) is not None:
        return Known(url, fault="validation.coding-system-value-set")
    return Known(url, is_code=CHECKED[url]) if url in CHECKED else None


def _others(url: str, build: Build) -> Mapping[str, frozenset[str]]:
    """Returns the names that the loaded value sets give to codes of a system: they count for who loaded them."""
    found: dict[str, set[str]] = {}
    for value_set in _value_sets(build):
        for concept in _listed(value_set, url):
            found.setdefault(text_of(concept, "code"), set()).update(_names_in(concept))
    return {code: frozenset(names) for code, names in found.items()}


def _value_sets(build: Build) -> Iterator[JsonObject]:
    """Yields the value sets of the loaded packages, those that profiles contain among them."""
    yield from build.definitions.conformance_resources("ValueSet")
    for profile in build.definitions.conformance_resources("StructureDefinition"):
        yield from (one for _, one in objects(profile, "contained") if one.get("resourceType") == "ValueSet")


def _listed(value_set: JsonObject, url: str) -> Iterator[JsonObject]:
    compose, expansion = value_set.get("compose"), value_set.get("expansion")
    for _, part in objects(compose, "include") if type(compose) is dict else ():
        if part.get("system") == url:
            yield from (concept for _, concept in objects(part, "concept"))
    if type(expansion) is dict:
        yield from (one for _, one in objects(expansion, "contains") if one.get("system") == url)


def _names_in(concept: Mapping[str, object]) -> Iterator[str]:
    texts: Iterable[str] = (
        text_of(concept, "display"),
        *(text_of(d, "value") for _, d in objects(concept, "designation")),
    )
    yield from (folded(one) for one in texts if one)
