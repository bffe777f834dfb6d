"""Records of grassroots systems -> FHIR Bundles, by mappings that are data. See docs/decisions/0002-mapping-language.md."""

from fhir_server.mapping.loading import Mapper, Mappings, load_mappings
from fhir_server.mapping.run import MapResult, run
from fhir_server.mapping.yaml_files import BrokenMapping

__all__ = ["BrokenMapping", "MapResult", "Mapper", "Mappings", "load_mappings", "run"]
