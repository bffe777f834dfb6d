"""Pages over HTTP: links, writes between pages, totals, https://hl7.org/fhir/R4/http.html#paging."""

import pytest

from fhir_server.fhir.json_codec import decode
from support.rest import RestServer, ids_of, keys_of, links_of


@pytest.fixture
def server():
    running = RestServer(validation="off", page_changes=5)
    for n in range(1, 8):
        running.put(patient(n))
    yield running
    running.close()


def patient(n: int, family: str = "王", **more: object) -> dict[str, object]:
    return {"resourceType": "Patient", "id": f"p{n}", "name": [{"family": family}], "birthDate": f"19{50 + n}", **more}


def pages(server, url, relation="next"):
    found = []
    while url:
        page = server.get(url)
        found.append(ids_of(page))
        url = links_of(page).get(relation)
    return found


SEARCH = "Patient?family=王&_sort=-birthdate&_count=3"


def test_next_previous_first_and_last_lead_through_the_same_pages(server):
    expected = [["p7", "p6", "p5"], ["p4", "p3", "p2"], ["p1"]]
    assert pages(server, SEARCH) == expected
    first = links_of(server.get(SEARCH))
    assert "previous" not in first
    assert pages(server, first["last"], "previous") == expected[::-1]
    last = links_of(server.get(first["last"]))
    assert ("next" in last, last["first"]) == (False, first["self"])


def test_writes_between_pages_neither_repeat_nor_hide_anything(server):
    link = links_of(server.get(SEARCH))["next"]
    server.send("DELETE", "Patient/p3")
    server.put(patient(4, "李"))
    server.put(patient(9, birthDate="1953-06"))
    page = server.get(link)
    assert ids_of(page) == ["p4", "p3", "p2"]
    shown = [entry["resource"] for entry in decode(page.content)["entry"]]
    assert [one["name"][0]["family"] for one in shown] == ["王", "王", "王"]
    assert pages(server, links_of(page)["next"]) == [["p1"]]
    assert decode(page.content)["total"] == 7


def test_a_page_link_ends_after_too_many_changes(server):
    link = links_of(server.get(SEARCH))["next"]
    for n in range(11, 16):
        server.put(patient(n))
    assert server.get(link).status_code == 200
    server.put(patient(16))
    answer = server.get(link)
    assert (answer.status_code, keys_of(answer)) == (410, ["search.page-outdated"])


def test_what_a_page_includes_is_as_it_was(server):
    server.put({"resourceType": "Organization", "id": "o", "name": "旧"})
    for n in (1, 2):
        server.put(patient(n, managingOrganization={"reference": "Organization/o"}))
    link = links_of(server.get("Patient?_id=p1,p2&_sort=_id&_count=1&_include=Patient:organization"))["next"]
    server.put({"resourceType": "Organization", "id": "o", "name": "新"})
    page = decode(server.get(link).content)
    assert [one["resource"].get("name") for one in page["entry"] if one["search"]["mode"] == "include"] == ["旧"]


def test_a_count_changes_nothing_in_the_order(server):
    whole = [one for page in pages(server, "Patient?_sort=family&_count=100") for one in page]
    for count in (1, 2, 5):
        assert [one for page in pages(server, f"Patient?_sort=family&_count={count}") for one in page] == whole


@pytest.mark.parametrize(
    ("asked", "total", "issues"),
    [("", None, []), ("&_total=none", None, []), ("&_total=accurate", 7, []), ("&_summary=count", 7, []),
     ("&_count=0", 7, []), ("&_total=estimate", 4, ["search.total-estimated"])],
)  # fmt: skip
def test_totals_are_exact_or_say_that_they_are_not(asked, total, issues):
    server = RestServer(validation="off", max_counted=4)
    for n in range(1, 8):
        server.put(patient(n))
    bundle = decode(server.get(f"Patient?family=王{asked}").content)
    told = [e["resource"] for e in bundle.get("entry", []) if e["search"]["mode"] == "outcome"]
    assert bundle.get("total") == total
    assert [i["details"]["coding"][0]["code"] for o in told for i in o["issue"]] == issues
    server.close()
