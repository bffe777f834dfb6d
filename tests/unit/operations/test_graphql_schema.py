"""The schema of all of FHIR is a valid one, though no query pays for the proof."""

from graphql import GraphQLSchema, validate_schema

from fhir_server.definitions.packages import load_definitions
from fhir_server.operations.graphql_fields import QUERY, Fields
from fhir_server.operations.graphql_resolving import resolvers_of
from fhir_server.operations.graphql_schema import build_schema


def test_the_whole_schema_is_valid_at_the_system_and_at_a_resource():
    fields = Fields(load_definitions())
    known = set(fields.definitions.resources)
    for root in (QUERY, "Patient"):
        schema = build_schema(fields, root, resolvers_of(fields), None, known)
        doubted = GraphQLSchema(**{**schema.to_kwargs(), "assume_valid": False})
        assert validate_schema(doubted) == []
