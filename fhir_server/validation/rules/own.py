"""Rules that R4 states in words for one type, beside what its definition says, https://hl7.org/fhir/R4/resourcelist.html."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from fhir_server.fhirpath.model import r4_model
from fhir_server.validation.rules.attachment import build_attachment
from fhir_server.validation.rules.bundle_document import build_document
from fhir_server.validation.rules.bundle_search import build_search
from fhir_server.validation.rules.bundle_urls import build_full_urls
from fhir_server.validation.rules.code_system import build_code_system
from fhir_server.validation.rules.coding import build_coding, build_quantity
from fhir_server.validation.rules.concept_map import build_concept_map
from fhir_server.validation.rules.measure import build_measure
from fhir_server.validation.rules.measure_report import build_report
from fhir_server.validation.rules.narrative_language import build_language
from fhir_server.validation.rules.narrative_links import build_links
from fhir_server.validation.rules.narrative_structure import build_structure
from fhir_server.validation.rules.on_request import build_on_request
from fhir_server.validation.rules.operation_definition import build_operation_definition
from fhir_server.validation.rules.questionnaire import build_questionnaire
from fhir_server.validation.rules.questionnaire_response import build_response
from fhir_server.validation.rules.search_parameter import build_search_parameter
from fhir_server.validation.rules.structure_definition import build_structure_definition
from fhir_server.validation.rules.texts import build_texts
from fhir_server.validation.rules.value_set import build_value_set
from fhir_server.validation.rules.vital_signs import build_vital_sign
from fhir_server.validation.site import Build, Check

Rules: TypeAlias = tuple[Callable[[Build], Check], ...]


_SINGLE: Mapping[str, Rules] = {
    "OperationDefinition": (build_operation_definition,),
    "Narrative": (build_language, build_links, build_structure),
    "SearchParameter": (build_search_parameter,),
    "StructureDefinition": (build_structure_definition,),
    "Observation": (build_vital_sign,),
    "ConceptMap": (build_concept_map,),
    "ValueSet": (build_value_set,),
    "CodeSystem": (build_code_system,),
    "Attachment": (build_attachment,),
    "Bundle": (build_full_urls, build_search, build_document),
    "Age": (build_quantity,),
    "Coding": (build_coding,),
    "Count": (build_quantity,),
    "Distance": (build_quantity,),
    "Duration": (build_quantity,),
    "Quantity": (build_quantity,),
    "Measure": (build_measure,),
    "MeasureReport": (build_report,),
    "Questionnaire": (build_questionnaire,),
    "QuestionnaireResponse": (build_response,),
}

OWN_RULES: Mapping[str, Rules] = {
    **_SINGLE,
    **{type_: (*_SINGLE.get(type_, ()), build_texts, build_on_request) for type_ in r4_model().resources},
}
"""Builders of the rules of a type or backbone path; each check sees the whole object, after its elements."""
