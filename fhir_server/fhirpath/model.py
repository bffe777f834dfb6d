"""The type model of FHIR R4 as published, https://hl7.org/fhir/R4/datatypes.html and resourcelist.html."""

from functools import cache

import msgspec

from fhir_server.data_files import data_folder
from fhir_server.fhir.type_model import TypeModel, type_model_of


@cache
def r4_model() -> TypeModel:
    """Returns the properties of every R4 type, read once from `conformance/r4/types.json`.

    `resources` names the 146 types that can be instantiated; `Resource` and `DomainResource` stand in `properties` and
    `parents` alone. Backbone elements have `BackboneElement` or `Element` as parent. The properties of a type stand in
    the order of its definition, which is the order of XML.

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    return type_model_of(msgspec.json.decode((data_folder("conformance") / "r4" / "types.json").read_bytes()))
