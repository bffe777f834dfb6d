"""Input that means harm is refused at once, with an OperationOutcome, and the server goes on answering."""

import time

import pytest

from support.rest import keys_of

LIMIT_S = 1.0
FORM = "application/x-www-form-urlencoded"
BODIES = {
    "ten thousand arrays deep": (b'{"resourceType":"Patient","x":' + b"[" * 10_000 + b"]" * 10_000 + b"}", 400),
    "deep extensions": (
        b'{"resourceType":"Patient"' + b',"extension":[{"url":"http://x"' * 90 + b"}]" * 90 + b"}",
        400,
    ),
    "a string over one megabyte": (b'{"resourceType":"Patient","name":[{"text":"' + b"a" * 1_100_000 + b'"}]}', 422),
    "a number of a hundred thousand digits": (
        b'{"resourceType":"Patient","multipleBirthInteger":' + b"9" * 100_000 + b"}",
        400,
    ),
    "a lone surrogate": (b'{"resourceType":"Patient","name":[{"text":"\\ud800"}]}', 400),
    "a control character": (b'{"resourceType":"Patient","name":[{"text":"a\\u0000b"}]}', 422),
    "bytes that are no UTF-8": (b'{"resourceType":"Patient","name":[{"text":"\xff"}]}', 400),
    "NaN": (b'{"resourceType":"Patient","multipleBirthInteger":NaN}', 400),
    "a duplicate key": (b'{"resourceType":"Patient","active":true,"active":false}', 400),
    "text made for slow patterns": (b'{"resourceType":"Patient","id":"' + b"a" * 50_000 + b'!"}', 422),
    "an array": (b"[]", 400),
    "wrong shapes everywhere": (
        b'{"resourceType":"Patient","name":"x","identifier":{"a":1},"meta":[1],"contained":[1],"extension":5}',
        422,
    ),
    "a script in the narrative": (
        b'{"resourceType":"Patient","text":{"status":"generated","div":"<div xmlns=\\"http://www.w3.org/1999/xhtml\\"><script>x</script></div>"}}',
        422,
    ),
}
QUERIES = {
    "birthdate=ge": 400,
    "_count=-1": 400,
    "_count=99999999999999": 400,
    "identifier=|||": 400,
    "name:contains=,": 400,
    "_lastUpdated=2025-02-30": 400,
    "_page=abc": 400,
    "name=%FF%FE": 400,
    "name=" + "a" * 20_000: 200,
    "_id=" + ",".join(map(str, range(3_000))): 200,
    "&".join(f"name=a{n}" for n in range(300)): 200,
}


@pytest.mark.usefixtures("frozen")
@pytest.mark.parametrize("what", BODIES)
def test_a_hostile_body_is_refused_in_under_a_second(server, what):
    body, status = BODIES[what]
    start = time.perf_counter()
    answer = server.send("POST", "Patient", body)
    assert (answer.status_code, time.perf_counter() - start < LIMIT_S) == (status, True)
    assert keys_of(answer)
    assert server.get("metadata").status_code == 200


@pytest.mark.usefixtures("frozen")
@pytest.mark.parametrize("query", QUERIES, ids=lambda q: q[:24])
def test_a_hostile_query_is_answered_in_under_a_second(server, query):
    server.get("Patient")
    start = time.perf_counter()
    answer = server.get(f"Patient?{query}")
    assert (answer.status_code, time.perf_counter() - start < LIMIT_S) == (QUERIES[query], True)


def test_a_form_that_is_no_utf_8_is_no_failure_of_ours(server):
    answer = server.send("POST", "Patient/_search", b"name=\xff\xfe", content_type=FORM)
    assert answer.status_code == 400


def test_odd_urls_in_a_batch_are_refused_one_by_one(server):
    urls = ["Patient/../../etc", "", "/", "?name=x", "Patient//", "$x", "Patient/1/_history/1/2"]
    answer = server.bundle("batch", *({"request": {"method": "GET", "url": url}} for url in urls))
    statuses = [entry["response"]["status"][0] for entry in answer.json()["entry"]]
    assert statuses == ["4", "4", "4", "4", "2", "4", "4"]
