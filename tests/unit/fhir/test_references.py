import pytest

from fhir_server.fhir.references import (
    ParsedReference,
    ReferenceKind,
    local_key,
    parse_reference,
    rewrite_links,
    search_key,
)
from fhir_server.fhirpath.model import r4_model

OWN = "https://fhir.example/r4"
URN = "urn:uuid:2b8f2f2e-6c1f-4c3e-9a4b-0d8f0c1e2a3b"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Patient/p1", ParsedReference(ReferenceKind.LOCAL, "Patient/p1", "Patient", "p1")),
        ("Patient/p1/_history/3", ParsedReference(ReferenceKind.LOCAL, "Patient/p1/_history/3", "Patient", "p1", "3")),
        (f"{OWN}/Patient/p1", ParsedReference(ReferenceKind.LOCAL, f"{OWN}/Patient/p1", "Patient", "p1", base=OWN)),
        (
            "http://other.example/Patient/p1",
            ParsedReference(
                ReferenceKind.REMOTE, "http://other.example/Patient/p1", "Patient", "p1", base="http://other.example"
            ),
        ),
        (URN, ParsedReference(ReferenceKind.URN, URN)),
        ("urn:oid:1.2.3", ParsedReference(ReferenceKind.URN, "urn:oid:1.2.3")),
        ("#p1", ParsedReference(ReferenceKind.CONTAINED, "#p1", id="p1")),
        ("#", ParsedReference(ReferenceKind.CONTAINED, "#")),
        (
            "Patient?identifier=a|b",
            ParsedReference(
                ReferenceKind.CONDITIONAL, "Patient?identifier=a|b", type="Patient", query="identifier=a|b"
            ),
        ),
        ("p1", ParsedReference(ReferenceKind.OTHER, "p1")),
        ("patient/p1", ParsedReference(ReferenceKind.OTHER, "patient/p1")),
        ("Patient/p_1", ParsedReference(ReferenceKind.OTHER, "Patient/p_1")),
        (f"Patient/{'x' * 65}", ParsedReference(ReferenceKind.OTHER, f"Patient/{'x' * 65}")),
        ("http://other.example/", ParsedReference(ReferenceKind.OTHER, "http://other.example/")),
    ],
)
def test_a_reference_text_is_taken_apart(text, expected):
    assert parse_reference(text, OWN + "/") == expected


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Patient/p1/_history/3", "Patient/p1"),
        (f"{OWN}/Patient/p1/_history/3", "Patient/p1"),
        ("http://other.example/a/Patient/p1/_history/3", "Patient/p1\x1fhttp://other.example/a"),
        (URN, URN),
        ("anything", "anything"),
    ],
)
def test_the_search_key_has_no_version_and_no_base_of_this_server(text, key):
    assert (parse_reference(text, OWN).key, search_key(text, OWN)) == (key, key)


def test_only_references_to_this_server_have_a_local_key():
    texts = ["Patient/p1", f"{OWN}/Patient/p1", "http://other.example/Patient/p1", "#p1", URN, "Patient?a=b"]
    assert [local_key(t, OWN) for t in texts] == [("Patient", "p1"), ("Patient", "p1"), None, None, None, None]


def test_links_are_replaced_in_references_uris_and_narratives_and_nowhere_else():
    resource = {
        "resourceType": "DocumentReference",
        "text": {"status": "generated", "div": f"<div><a href=\"{URN}\">x</a><img src='{URN}#i'/> {URN}</div>"},
        "contained": [{"resourceType": "Patient", "managingOrganization": {"reference": URN}}],
        "implicitRules": URN,
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": URN}],
        "meta": {"profile": [URN]},
        "description": URN,
        "subject": {"reference": URN, "display": URN},
        "author": [{"reference": f"{URN}#part"}, {"reference": "Practitioner/1"}, {"reference": URN + "0"}],
        "content": [{"attachment": {"url": URN, "size": 5}}],
        "extension": [{"url": "http://x.example/e", "valueUri": URN}, {"url": "e", "valueCanonical": URN}],
    }
    before = repr(resource)
    rewritten = rewrite_links(resource, {URN: "Patient/7"}, r4_model())
    assert list(rewritten) == list(resource)
    assert rewritten == {
        "resourceType": "DocumentReference",
        "text": {
            "status": "generated",
            "div": f"<div><a href=\"Patient/7\">x</a><img src='Patient/7#i'/> {URN}</div>",
        },
        "contained": [{"resourceType": "Patient", "managingOrganization": {"reference": "Patient/7"}}],
        "implicitRules": "Patient/7",
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": URN}],
        "meta": {"profile": [URN]},
        "description": URN,
        "subject": {"reference": "Patient/7", "display": URN},
        "author": [{"reference": "Patient/7#part"}, {"reference": "Practitioner/1"}, {"reference": URN + "0"}],
        "content": [{"attachment": {"url": "Patient/7", "size": 5}}],
        "extension": [{"url": "http://x.example/e", "valueUri": "Patient/7"}, {"url": "e", "valueCanonical": URN}],
    }
    assert repr(resource) == before
