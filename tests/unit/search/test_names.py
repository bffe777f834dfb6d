import pytest

from fhir_server.errors import SearchParameterUnknown
from fhir_server.search.names import ChainName, HasName, PlainName, parse_name


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("code", PlainName("code")),
        ("_lastUpdated", PlainName("_lastUpdated")),
        ("name:exact", PlainName("name", "exact")),
        ("value-quantity:missing", PlainName("value-quantity", "missing")),
        ("subject.name", ChainName("subject", None, PlainName("name"))),
        ("subject:Patient.name:exact", ChainName("subject", "Patient", PlainName("name", "exact"))),
        (
            "patient.organization.name",
            ChainName("patient", None, ChainName("organization", None, PlainName("name"))),
        ),
        ("_has:Observation:patient:code", HasName("Observation", "patient", PlainName("code"))),
        (
            "_has:Observation:patient:_has:AuditEvent:entity:agent",
            HasName("Observation", "patient", HasName("AuditEvent", "entity", PlainName("agent"))),
        ),
    ],
)
def test_a_name_is_plain_or_a_chain_or_a_reverse_chain(name, part):
    assert parse_name(name) == part


@pytest.mark.parametrize(
    "name",
    ["", ":", "a:b:c", "a:", ".a", "a.", "a..b", "_has:", "_has:Observation", "_has:Observation:patient:", "a b"],
)
def test_any_other_form_is_refused(name):
    with pytest.raises(SearchParameterUnknown) as caught:
        parse_name(name)
    assert [i.key for i in caught.value.issues] == ["search.name-malformed"]
