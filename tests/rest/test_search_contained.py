"""Searches in contained resources, https://hl7.org/fhir/R4/search.html#contained."""

import pytest

from fhir_server.fhir.json_codec import decode
from support.rest import RestServer, ids_of, keys_of, links_of


def practitioner(id_: str, family: str, **more: object) -> dict[str, object]:
    return {"resourceType": "Practitioner", "id": id_, "name": [{"family": family}], **more}


def request(id_: str, requester: object, *contained: object) -> dict[str, object]:
    return {
        "resourceType": "ServiceRequest",
        "id": id_,
        "status": "active",
        "intent": "order",
        "subject": {"reference": "Patient/p"},
        **({"contained": list(contained)} if contained else {}),
        "requester": requester,
    }


@pytest.fixture(scope="module")
def server():
    running = RestServer(validation="off")
    running.put({"resourceType": "Patient", "id": "p"})
    running.put(practitioner("king", "王", gender="male"))
    running.put(request("outside", {"reference": "Practitioner/king"}))
    one, two = practitioner("a", "王", gender="female"), practitioner("b", "李", gender="male")
    running.put(request("first", {"reference": "#a"}, one, two))
    running.put(request("second", {"reference": "#b"}, one, two))
    place = {"resourceType": "Organization", "id": "o", "name": "社区卫生服务中心"}
    role = {"resourceType": "PractitionerRole", "id": "r", "organization": {"reference": "#o"}}
    running.put(request("third", {"reference": "#r"}, place, role))
    yield running
    running.close()


def found(server, url):
    answer = server.get(url)
    assert answer.status_code == 200, answer.text
    return set(ids_of(answer))


def urls(answer) -> list[str]:
    return [one["fullUrl"].removeprefix("http://test/fhir/") for one in decode(answer.content)["entry"]]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("ServiceRequest?requester:Practitioner.family=王", {"outside", "first"}),
        ("ServiceRequest?requester:Practitioner.family=李", {"second"}),
        ("ServiceRequest?requester.gender=male", {"outside", "second"}),
        ("ServiceRequest?requester:Practitioner._id=a", {"first"}),
        ("ServiceRequest?requester:Practitioner._id=king", {"outside"}),
        ("ServiceRequest?requester:PractitionerRole.organization.name=社区", {"third"}),
        ("ServiceRequest?requester:missing=true", set()),
        ("ServiceRequest?requester:Practitioner._lastUpdated=gt2000", {"outside"}),
    ],
)
def test_chains_lead_into_contained_resources(server, url, expected):
    assert found(server, url) == expected


def test_contained_resources_are_not_results_unless_asked_for(server):
    assert found(server, "Practitioner?family=王") == {"king"}
    assert found(server, "Practitioner?family=王&_contained=false") == {"king"}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("Practitioner?family=王&_contained=true", {"first", "second"}),
        ("Practitioner?family=王&gender=male&_contained=true", set()),
        ("Practitioner?family=李&gender=male&_contained=true&_containedType=container", {"first", "second"}),
        ("Practitioner?family=王&_contained=both", {"king", "first", "second"}),
        ("Practitioner?gender:not=male&_contained=true", {"first", "second"}),
        ("Organization?name=社区&_contained=true", {"third"}),
        ("Practitioner?_id=a&_contained=true", {"first", "second"}),
        ("Practitioner?_contained=true&_sort=-_id&_count=1", {"second"}),
    ],
)
def test_containers_are_found_by_one_contained_resource_that_satisfies_everything(server, url, expected):
    assert found(server, url) == expected


def test_contained_resources_come_by_themselves_under_the_url_of_their_container(server):
    answer = server.get("Practitioner?_contained=true&_containedType=contained&_sort=_id&_total=accurate")
    assert urls(answer) == [f"ServiceRequest/{of}#{id_}" for of in ("first", "second") for id_ in ("a", "b")]
    shown = [one["resource"]["name"][0]["family"] for one in decode(answer.content)["entry"]]
    assert (shown, decode(answer.content)["total"]) == (["王", "李", "王", "李"], 4)


def test_both_kinds_of_results_are_one_list_with_pages(server):
    url = "Practitioner?family=王&_contained=both&_containedType=contained&_sort=_id&_count=1"
    expected = [["ServiceRequest/first#a"], ["Practitioner/king"], ["ServiceRequest/second#a"]]
    pages, totals, back = [], set(), []
    while url:
        answer = server.get(url)
        pages.append(urls(answer))
        totals.add(decode(answer.content)["total"])
        last, url = answer, links_of(answer).get("next")
    url = links_of(last)["self"]
    while url:
        answer = server.get(url)
        back.append(urls(answer))
        url = links_of(answer).get("previous")
    assert (pages, totals, back[::-1]) == (expected, {3}, expected)


def test_nothing_contained_is_an_empty_page(server):
    answer = server.get("Location?_contained=true&_containedType=contained")
    assert (ids_of(answer), decode(answer.content)["total"]) == ([], 0)
    assert found(server, "Location?_contained=true") == set()


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("Practitioner?_contained=true&_has:ServiceRequest:requester:status=active", "search.contained-without"),
        ("Practitioner?_contained=true&_content=王", "search.contained-without"),
        ("Practitioner?_contained=both&_sort=family", "search.contained-without"),
        ("Practitioner?_contained=both&_revinclude=ServiceRequest:requester", "search.contained-without"),
        ("?_type=Practitioner,Patient&_contained=true", "search.contained-one-type"),
        ("Patient/p/ServiceRequest?_contained=true", "search.contained-one-type"),
        ("Practitioner?_contained=maybe", "search.result-invalid"),
    ],
)
def test_what_contained_resources_cannot_be_asked_is_refused(server, url, key):
    answer = server.get(url)
    assert (answer.status_code, keys_of(answer)) == (400, [key])


def test_what_is_no_more_contained_is_no_more_found(server):
    server.put(request("fourth", {"reference": "#z"}, practitioner("z", "赵")))
    assert found(server, "Practitioner?family=赵&_contained=true") == {"fourth"}
    assert found(server, "ServiceRequest?requester:Practitioner.family=赵") == {"fourth"}
    server.put(request("fourth", {"display": "赵"}))
    assert found(server, "Practitioner?family=赵&_contained=true") == set()
    server.send("DELETE", "ServiceRequest/fourth")


def shelf(id_: str, step: int, size: int) -> dict[str, object]:
    """A list that contains places, each a part of the one so many steps further on; the last is part of Location/1."""
    parts = [f"#l{(n + step) % size}" for n in range(size - 1)]
    inner = [
        {"resourceType": "Location", "id": f"l{n}", "partOf": {"reference": part}}
        for n, part in enumerate([*parts, "Location/1"])
    ]
    return {"resourceType": "List", "id": id_, "contained": inner, "entry": [{"item": {"reference": "#l0"}}]}


def test_contained_resources_that_are_part_of_each_other_are_followed_as_they_are(lenient_server):
    lenient_server.put({"resourceType": "Location", "id": "1"})
    lenient_server.put(shelf("near", 1, 5))
    lenient_server.put(shelf("far", 1, 30))
    assert found(lenient_server, "List?item:below=Location/1") == {"near"}


def test_too_many_ways_through_contained_resources_are_refused(lenient_server):
    lenient_server.put({"resourceType": "Location", "id": "1"})
    for step in range(1, 7):
        lenient_server.put(shelf(f"s{step}", step, 7))
    answer = lenient_server.get("List?item:below=Location/1")
    assert (answer.status_code, keys_of(answer)) == (400, ["store.chain-too-wide"])
    assert found(lenient_server, "List?item:Location._id=l0") == {f"s{step}" for step in range(1, 7)}
