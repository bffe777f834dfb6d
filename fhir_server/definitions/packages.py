"""Loads everything that is known about R4 and our packages, https://hl7.org/fhir/R4/profiling.html.

Whatever is wrong with a definition is found here, all of it at once, and nothing starts.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import urldefrag

from fhir_server.data_files import data_folder
from fhir_server.definitions.findings import Findings
from fhir_server.definitions.library import DEFAULT_BASE, Library, Places, read_library
from fhir_server.definitions.registry import Definitions
from fhir_server.definitions.resource_types import read_resource_types
from fhir_server.definitions.shapes import Element, StructureDefinition
from fhir_server.definitions.structures import build_structures
from fhir_server.fhir.shapes import Canonical


def load_definitions(*, packages: Sequence[Path] = (), base: str = DEFAULT_BASE) -> Definitions:
    """Returns R4's facts, our packages and the given FHIR packages (folders or `.tgz`), checked.

    `base` replaces the canonical base that our packages are written with; no slash at its end. R4's own terminology and
    structures are read when first asked for. Cost: about 0.1 s.

    Raises:
        DefinitionError: definitions are wrong; one issue for each finding, with file and path.
        FileNotFoundError: the installation is incomplete.
    """
    return read_definitions(Places(data_folder("profiles"), data_folder("conformance"), packages), base)


def read_definitions(places: Places, base: str) -> Definitions:
    """Returns the definitions that lie at the given places, as `load_definitions` does.

    Raises:
        DefinitionError: definitions are wrong; one issue for each finding, with file and path.
    """
    findings = Findings()
    library = read_library(places, base, findings)
    built = build_structures(library, findings)
    _check_references(built.by_url, library, base, findings)
    resources = read_resource_types(places.conformance, library, base, findings)
    findings.stop_if_any()
    return Definitions(built, resources=resources, base=base, findings=findings.issues)


def _check_references(
    structures: Mapping[Canonical, StructureDefinition], library: Library, base: str, findings: Findings
) -> None:
    """Files every canonical of our own base that a snapshot names and no package defines."""
    value_sets = {url for type_, url in library.by_url if type_ == "ValueSet"}
    known = structures.keys() | value_sets
    for structure in structures.values():
        for element in structure.elements:
            for url in _canonicals(element):
                if url.startswith(base + "/") and url.partition("|")[0] not in known:
                    path = f"StructureDefinition.snapshot.element ({element.id})"
                    findings.add("definitions.canonical-unknown", structure.source, path, url=url)


def _canonicals(element: Element) -> Iterator[str]:
    for type_ in element.types:
        yield from (urldefrag(url).url for url in (*type_.profiles, *type_.targets))
    if element.binding and element.binding.value_set:
        yield element.binding.value_set
