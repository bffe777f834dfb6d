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


def test_an_order_that_lies_in_other_resources_stays_while_those_change(server):
    for n in range(1, 6):
        subject = {"reference": f"Patient/p{n}"}
        server.put({"resourceType": "Flag", "id": f"f{n}", "code": {"text": "x"}, "subject": subject})
    server.put({"resourceType": "Flag", "id": "f6", "code": {"text": "x"}, "subject": {"display": "x"}})
    first = server.get("Flag?_sort=-patient.birthdate&_count=2&_total=accurate")
    assert ids_of(first) == ["f5", "f4"]
    link = links_of(first)["next"]
    server.put(patient(1, birthDate="2020-01-01"))
    server.put(patient(5, birthDate="1900-01-01"))
    server.send("DELETE", "Flag/f3")
    assert pages(server, link) == [["f3", "f2"], ["f1", "f6"]]
    assert ids_of(server.get("Flag?_sort=subject:Patient.birthdate&_count=9")) == ["f5", "f2", "f4", "f1", "f6"]


@pytest.fixture
def hasty():
    """A server that counts to three."""
    running = RestServer(validation="off", max_counted=3)
    for n in range(1, 8):
        running.put(patient(n))
    yield running
    running.close()


def told(server, url, relation="next"):
    """Returns what each page tells: its ids, its total, and the findings on it."""
    found = []
    while url:
        page = server.get(url)
        entries = decode(page.content)["entry"]
        issues = [one["resource"]["issue"][0] for one in entries if one["search"]["mode"] == "outcome"]
        keys = [one["details"]["coding"][0]["code"] for one in issues]
        shown = [one["resource"]["id"] for one in entries if one["search"]["mode"] == "match"]
        found.append((shown, decode(page.content).get("total"), keys))
        url = links_of(page).get(relation)
    return found


PAGES = [["p1", "p2", "p3"], ["p4", "p5", "p6"], ["p7"]]


@pytest.mark.parametrize(
    ("asked", "total", "findings"),
    [
        ("&_total=estimate", 3, ["search.total-estimated"]),
        ("&_total=accurate", 7, []),
        ("&_total=none", None, []),
        ("", None, []),
    ],
)
def test_every_page_tells_the_same_of_the_total(hasty, asked, total, findings):
    url = f"Patient?_sort=_id&_count=3{asked}"
    assert told(hasty, url) == [(page, total, findings) for page in PAGES]
    last = links_of(hasty.get(url))["last"]
    back = told(hasty, last, "previous")
    assert [one for shown, _, _ in back[::-1] for one in shown] == [one for page in PAGES for one in page]
    assert {(total, tuple(keys)) for _, total, keys in back} == {(total, tuple(findings))}


def test_a_small_total_is_told_without_being_asked_for(hasty):
    assert told(hasty, "Patient?_id=p1,p2&_sort=_id&_count=1") == [(["p1"], 2, []), (["p2"], 2, [])]
