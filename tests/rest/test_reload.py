"""Loading into a store that others have changed: deleted records come back, later edits stay."""

import asyncio
from datetime import UTC, datetime

import httpx
import pytest

from fhir_server.mapping import load_mappings
from fhir_server.operations.load_files import load_files
from fhir_server.operations.load_over_http import HttpSink, ServerRefused
from fhir_server.operations.load_records import StoreSink
from fhir_server.operations.map_records import map_files

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


OTHER = {"resourceType": "Basic", "id": "b2", "code": {"text": "y"}, "subject": {"reference": "Patient/p1"}}
BOTH = {**PROVENANCE, "target": [{"reference": "Basic/b1"}, {"reference": "Basic/b2"}]}


def of_row(provenance: dict, row: str) -> dict:
    return {**provenance, "entity": [{"role": "source", "what": {"identifier": {"value": row}}}]}


def outcomes(server, over_http: bool, *records: list[dict]) -> list:
    sink = HttpSink(server.client) if over_http else StoreSink(server.parts)
    return server.loop.run_until_complete(sink.store(records))


@pytest.mark.parametrize("over_http", [False, True])
def test_what_the_source_took_back_is_deleted(lenient_server, over_http):
    server = lenient_server
    outcomes(server, over_http, [RESIDENT], [VISIT, OTHER, of_row(BOTH, "f.csv:1")])
    (changed,) = outcomes(server, over_http, [VISIT, of_row(PROVENANCE, "f.csv:2")])
    assert (changed.status, changed.deleted) == ("updated", 1)
    assert [server.get(path).status_code for path in ("Basic/b1", "Basic/b2")] == [200, 410]
    (again,) = outcomes(server, over_http, [VISIT, of_row(PROVENANCE, "f.csv:2")])
    assert (again.status, again.deleted) == ("unchanged", 0)


@pytest.mark.parametrize("over_http", [False, True])
def test_a_row_that_stands_in_another_file_is_the_same_row(lenient_server, over_http):
    server = lenient_server
    outcomes(server, over_http, [RESIDENT], [VISIT, of_row(PROVENANCE, "june.csv:abc")])
    (again,) = outcomes(server, over_http, [VISIT, of_row(PROVENANCE, "july.csv:abc")])
    assert again.status == "unchanged"


@pytest.mark.parametrize("over_http", [False, True])
def test_of_two_rows_of_one_record_the_later_counts_and_a_second_load_changes_nothing(lenient_server, over_http):
    server = lenient_server
    rows = [[VISIT, OTHER, of_row(BOTH, "f.csv:1")], [{**VISIT, "code": {"text": "z"}}, of_row(PROVENANCE, "f.csv:2")]]
    assert [o.status for o in outcomes(server, over_http, [RESIDENT], *rows)] == ["created", "unchanged", "created"]
    assert server.get("Basic/b1").json()["code"] == {"text": "z"}
    assert server.get("Basic/b2").status_code == 404
    assert [o.status for o in outcomes(server, over_http, *rows)] == ["unchanged", "unchanged"]
    assert server.get("Basic/b1").headers["etag"] == 'W/"1"'


@pytest.mark.parametrize("over_http", [False, True])
def test_a_team_that_nobody_knows_is_told_once_and_refuses_nothing(lenient_server, over_http):
    named = {**VISIT, "author": {"reference": "Organization/nobody"}}
    found = outcomes(lenient_server, over_http, [RESIDENT], [named], [{**named, "id": "b3"}])
    assert [(o.status, [i.key for i in o.notes]) for o in found] == [
        ("created", []),
        ("created", ["load.reference-unknown"]),
        ("created", []),
    ]


def test_over_http_what_nobody_knows_is_named_by_its_identifier_until_it_comes(lenient_server):
    server = lenient_server
    record = [{**VISIT, "author": {"reference": "Organization/o1", "display": "院"}}, PROVENANCE]
    sink = HttpSink(server.client)

    def send(*records: list[dict]) -> list[str]:
        known = {"system": "http://x/organization", "value": "O1"}
        stored = server.loop.run_until_complete(sink.store(records, identify=lambda _n, _key: known))
        return [o.status for o in stored]

    assert send([RESIDENT], record) == ["created", "created"]
    assert server.get("Basic/b1").json()["author"] == {
        "type": "Organization",
        "identifier": {"system": "http://x/organization", "value": "O1"},
        "display": "院",
    }
    assert send(record) == ["unchanged"]
    assert send([{"resourceType": "Organization", "id": "o1", "name": "院"}], record) == ["created", "updated"]
    assert server.get("Basic/b1").json()["author"] == {"reference": "Organization/o1", "display": "院"}
    assert send(record) == ["unchanged"]


def test_over_http_a_record_is_sent_behind_those_that_it_names(lenient_server):
    child = {"resourceType": "Organization", "id": "o2", "name": "站", "partOf": {"reference": "Organization/o1"}}
    parent = {"resourceType": "Organization", "id": "o1", "name": "院"}
    found = outcomes(lenient_server, True, [child], [parent])
    assert [(o.status, o.notes) for o in found] == [("created", []), ("created", [])]
    assert lenient_server.get("Organization/o2").json()["partOf"] == {"reference": "Organization/o1"}


def households(server) -> list[dict]:
    return [e["resource"] for e in server.get("Group").json()["entry"]]


@pytest.mark.parametrize("over_http", [False, True])
def test_a_household_and_its_members_are_loaded(server, tmp_path, over_http):
    path = tmp_path / "a.csv"
    path.write_text(
        "档案编号,姓名,性别,出生日期,户编号,与户主关系\nR1,刘某,1,1960-01-01,H1,户主\nR2,李某,2,1962-01-01,H1,配偶\n"
    )
    sink = HttpSink(server.client) if over_http else StoreSink(server.parts)

    def load_again() -> tuple:
        run = map_files(load_mappings(), "personal-info", "national", [path], now=datetime(2025, 11, 22, tzinfo=UTC))
        report = server.loop.run_until_complete(load_files(run, sink))
        return report["stored"], [i["rule"] for i in report["issues"]]

    assert load_again() == ({"created": 2, "updated": 0, "unchanged": 0}, [])
    assert load_again() == ({"created": 0, "updated": 0, "unchanged": 2}, [])
    assert [len(household["member"]) for household in households(server)] == [2]
    path.write_text("档案编号,姓名,性别,出生日期,户编号,与户主关系\nR1,刘某某,1,1960-01-01,H1,户主\n")
    assert load_again() == ({"created": 0, "updated": 1, "unchanged": 0}, [])
    assert [len(household["member"]) for household in households(server)] == [2], "the other member stays"


@pytest.mark.parametrize(
    ("status", "body", "wanted"),
    [
        (200, {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"}, ""),
        (200, {"resourceType": "CapabilityStatement", "fhirVersion": "5.0.0"}, "speaks FHIR 5.0.0"),
        (200, {"resourceType": "Bundle"}, "is it a FHIR base URL?"),
        (404, {}, "HTTP 404"),
    ],
)
def test_an_address_that_is_no_fhir_server_is_told_before_anything_is_sent(status, body, wanted):
    answering = httpx.MockTransport(lambda _request: httpx.Response(status, json=body))

    async def check() -> str:
        async with httpx.AsyncClient(transport=answering, base_url="http://x/fhir") as client:
            try:
                await HttpSink(client).check()
            except ServerRefused as refused:
                return str(refused)
            return ""

    said = asyncio.run(check())
    assert (wanted in said, bool(said)) == (True, bool(wanted))


CONTRACTS = """签约编号,档案编号,团队编码,签约医生编码,机构编码,签约日期,开始日期,结束日期,签约状态,服务包编码
Q1,R1,T9,D9,O9,2025-01-01,2025-01-02,2026-01-01,1,basic
Q2,R9,T9,D9,O9,2025-01-01,2025-01-02,2026-01-01,1,basic
"""
RESIDENTS = "档案编号,姓名,性别,出生日期\nR1,刘某,1.男,24437\n"


@pytest.mark.parametrize("over_http", [False, True])
def test_what_is_missing_is_told_at_the_cell_that_names_it(lenient_server, tmp_path, over_http):
    wanted = [
        (2, "机构编码", "O9", "load.reference-unknown"),
        (2, "签约医生编码", "D9", "load.reference-unknown"),
        (2, "团队编码", "T9", "load.reference-unknown"),
        (3, "档案编号", "R9", "load.owner-missing"),
    ]
    sink = HttpSink(lenient_server.client) if over_http else StoreSink(lenient_server.parts)
    reports = []
    for form, text in (("personal-info", RESIDENTS), ("contract", CONTRACTS)):
        path = tmp_path / f"{form}.csv"
        path.write_text(text, encoding="gb18030")
        run = map_files(load_mappings(), form, "national", [path], now=datetime(2025, 11, 22, tzinfo=UTC))
        reports.append(lenient_server.loop.run_until_complete(load_files(run, sink)))
    found = [(i["row"], i["column"], i["value"], i["rule"]) for i in reports[1]["issues"]]
    assert sorted(set(found)) == sorted(wanted)
    assert all(i["en"] and i["zh"] for report in reports for i in report["issues"])
    assert [r["read"] == r["mapped"] + r["rejected"] for r in reports] == [True, True]
    (contract,) = [e["resource"] for e in lenient_server.get("EpisodeOfCare").json()["entry"]]
    identified = {"system": "http://jtys.example/fhir/sid/national/care-team", "value": "T9"}
    assert contract["team"][0].get("identifier") == (identified if over_http else None)
