"""Where code systems, value sets and concept maps come from: the loaded definitions, R4, and the lists shipped beside it.

See https://hl7.org/fhir/R4/terminologies-systems.html. A resource is as R4 writes it; nobody may change it.
"""

import gzip
import zoneinfo
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import msgspec

from fhir_server.data_files import data_folder
from fhir_server.definitions import facts
from fhir_server.definitions.registry import Definitions
from fhir_server.fhir.shapes import JsonObject

TIME_ZONES = "https://www.iana.org/time-zones"


class Sources:
    """Terminology resources by canonical URL. `url|version` prefers that version, else takes what the URL names."""

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions
        self._supplements: Mapping[str, Sequence[JsonObject]] | None = None
        self._implicit: Mapping[str, str] | None = None

    def value_set(self, url: str) -> JsonObject | None:
        """Returns a value set; the one that a loaded code system names as its own (`valueSet`) has all its codes."""
        found = self._resource("ValueSet", url)
        if found is not None:
            return found
        plain = url.partition("|")[0]
        system = self._whole_systems().get(plain)
        include = {"resourceType": "ValueSet", "url": plain, "compose": {"include": [{"system": system}]}}
        return include if system else None

    def code_system(self, url: str) -> JsonObject | None:
        """Returns a code system, or None; ISO 4217, ISO 3166 and the time zones are among them."""
        plain = url.partition("|")[0]
        if plain == TIME_ZONES:
            return _time_zones()
        return self._resource("CodeSystem", url) or shipped().get(plain)

    def concept_map(self, url: str) -> JsonObject | None:
        """Returns a concept map, or None."""
        return self._resource("ConceptMap", url)

    def concept_maps(self) -> Sequence[JsonObject]:
        """Returns all concept maps in URL order; R4's own are decoded at each call."""
        found = (self.concept_map(url) for url in self._definitions.canonicals("ConceptMap"))
        return tuple(one for one in found if one is not None)

    def supplements(self, url: str) -> Sequence[JsonObject]:
        """Returns the loaded code systems that supplement this one."""
        if self._supplements is None:
            known: dict[str, list[JsonObject]] = {}
            for resource in self._definitions.conformance_resources("CodeSystem"):
                if resource.get("content") == "supplement" and "supplements" in resource:
                    known.setdefault(resource["supplements"].partition("|")[0], []).append(resource)
            self._supplements = known
        return self._supplements.get(url.partition("|")[0], ())

    def _whole_systems(self) -> Mapping[str, str]:
        if self._implicit is None:
            loaded = self._definitions.conformance_resources("CodeSystem")
            self._implicit = {one["valueSet"]: one["url"] for one in loaded if "valueSet" in one}
        return self._implicit

    def _resource(self, type_: str, url: str) -> JsonObject | None:
        # R4 has six systems with a bar in their URL (v2-0006|2.1), which is no version
        own = facts.find(type_, url) if "|" in url else None
        return own or self._definitions.resource(type_, url)


@cache
def shipped() -> Mapping[str, JsonObject]:
    """Returns the code systems of `conformance/codes` by URL."""
    file = data_folder("conformance") / "codes" / "code-systems.json.gz"
    found: dict[str, Any] = msgspec.json.decode(gzip.decompress(file.read_bytes()))
    return found


@cache
def _time_zones() -> JsonObject:
    names = sorted(name for name in zoneinfo.available_timezones() if "/" in name or name == "UTC")
    told = {"resourceType": "CodeSystem", "url": TIME_ZONES, "name": "IanaTimeZones", "content": "complete"}
    return {**told, "caseSensitive": True, "concept": [{"code": name} for name in names]}
