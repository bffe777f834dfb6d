"""Loading into a store that others have changed: deleted records come back, later edits stay."""

from fhir_server.operations.load_records import StoreSink

RESIDENT = {"resourceType": "Patient", "id": "p1", "birthDate": "1950-01-01"}
VISIT = {"resourceType": "Basic", "id": "b1", "code": {"text": "x"}, "subject": {"reference": "Patient/p1"}}
PROVENANCE = {
    "resourceType": "Provenance",
    "id": "v1",
    "target": [{"reference": "Basic/b1"}],
    "recorded": "2026-03-01T08:00:00Z",
    "agent": [{"who": {"display": "map 1"}}],
    "entity": [{"role": "source", "what": {"identifier": {"value": "row:abc"}}}],
}


def load(server, *records: list[dict]) -> list[str]:
    return [o.status for o in server.loop.run_until_complete(StoreSink(server.parts).store(records))]


def test_a_deleted_resource_is_created_again(lenient_server):
    server = lenient_server
    assert load(server, [RESIDENT]) == ["created"]
    server.send("DELETE", "Patient/p1")
    assert load(server, [RESIDENT]) == ["created"]
    assert server.get("Patient/p1").headers["etag"] == 'W/"3"'


def test_an_edit_by_others_survives_when_the_source_row_is_the_same(lenient_server):
    server = lenient_server
    assert load(server, [RESIDENT], [VISIT, PROVENANCE]) == ["created", "created"]
    server.put({**VISIT, "code": {"text": "edited"}})
    assert load(server, [VISIT, {**PROVENANCE, "recorded": "2026-04-01T08:00:00Z"}]) == ["unchanged"]
    assert server.get("Basic/b1").json()["code"] == {"text": "edited"}


def test_a_changed_row_is_written_again(lenient_server):
    server = lenient_server
    load(server, [RESIDENT], [VISIT, PROVENANCE])
    changed = {**PROVENANCE, "entity": [{"role": "source", "what": {"identifier": {"value": "row:def"}}}]}
    assert load(server, [{**VISIT, "code": {"text": "new"}}, changed]) == ["updated"]


def test_a_record_is_refused_when_its_resident_was_deleted(lenient_server):
    server = lenient_server
    load(server, [RESIDENT])
    server.send("DELETE", "Patient/p1")
    assert load(server, [VISIT]) == ["rejected"]
    assert load(server, [RESIDENT], [VISIT]) == ["created", "created"]
