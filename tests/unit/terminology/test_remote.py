"""Another terminology server, asked over real HTTP on this machine."""

import asyncio
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from fhir_server.terminology import remote
from fhir_server.terminology.remote import FAILURES, PAUSE_S, RemoteSilent, RemoteTerminology

YES = {"resourceType": "Parameters", "parameter": [{"name": "result", "valueBoolean": True}]}
ASK = {"resourceType": "Parameters", "parameter": [{"name": "code", "valueCode": "1"}]}


class Answers(BaseHTTPRequestHandler):
    """Answers as its server was told: (status, body, seconds to wait); remembers what it was asked."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.asked.append((self.path, json.loads(body), self.headers.get("accept-language")))
        status, content, wait_s = self.server.answer
        time.sleep(wait_s)
        try:
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client had enough

    def log_message(self, *_: object):
        pass


@pytest.fixture
def other():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.asked, server.answer = [], (200, json.dumps(YES).encode(), 0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


class Watch:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def client(server, watch=None, *, limit_s=2.0):
    return RemoteTerminology(f"http://127.0.0.1:{server.server_port}/fhir/", limit_s=limit_s, now=watch or Watch())


def ask(one, code="1", **more: str):
    question = {**ASK, "parameter": [{"name": "code", "valueCode": code}]}
    return asyncio.run(one.ask("CodeSystem/$lookup", question, **more))


def test_a_question_is_posted_and_its_answer_kept(other):
    watch = Watch()
    one = client(other, watch)
    assert ask(one, language="zh") == YES
    assert ask(one, language="zh") == YES
    assert other.asked == [("/fhir/CodeSystem/$lookup", ASK, "zh")]
    watch.at += remote.CACHED_S
    assert ask(one, language="zh") == YES
    assert len(other.asked) == 2


def test_the_cache_is_bounded(other, monkeypatch):
    monkeypatch.setattr(remote, "CACHED", 2)
    one = client(other)
    for code in ("1", "2", "1", "3", "1", "2"):
        ask(one, code)
    assert [body["parameter"][0]["valueCode"] for _, body, _ in other.asked] == ["1", "2", "3", "2"]


def test_a_large_answer_is_not_kept(other):
    large = {**YES, "parameter": [{"name": "message", "valueString": "x" * remote.MAX_CACHED_BYTES}]}
    other.answer = (200, json.dumps(large).encode(), 0)
    one = client(other)
    assert ask(one) == large
    assert ask(one) == large
    assert len(other.asked) == 2


def test_a_refusal_means_that_the_other_does_not_know_either(other):
    other.answer = (404, b'{"resourceType":"OperationOutcome"}', 0)
    one = client(other)
    assert [ask(one), ask(one)] == [None, None]
    assert len(other.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        (500, b"", 0),
        (429, b"", 0),
        (302, b"", 0),
        (200, b"<html>", 0),
        (200, b'{"resourceType":"Patient"}', 0),
        (200, json.dumps(YES).encode(), 1.0),
        (200, b" " * (remote.MAX_ANSWER_BYTES + 1), 0),
    ],
)
def test_what_is_no_answer_in_time_is_silence(other, answer):
    other.answer = answer
    with pytest.raises(RemoteSilent):
        ask(client(other, limit_s=0.5))


def test_a_server_that_fails_in_a_row_is_left_alone_for_a_while(other):
    watch = Watch()
    one = client(other, watch)
    other.answer = (503, b"", 0)
    for _ in range(FAILURES + 3):
        with pytest.raises(RemoteSilent):
            ask(one)
    assert len(other.asked) == FAILURES
    watch.at += PAUSE_S
    other.answer = (200, json.dumps(YES).encode(), 0)
    assert ask(one) == YES
    assert ask(one, "2") == YES
    assert len(other.asked) == FAILURES + 2


def test_one_failure_after_the_pause_opens_the_circuit_again(other):
    watch = Watch()
    one = client(other, watch)
    other.answer = (503, b"", 0)
    for at in (0, 0, 0, PAUSE_S, PAUSE_S):
        watch.at = at
        with pytest.raises(RemoteSilent):
            ask(one)
    assert len(other.asked) == FAILURES + 1


def test_a_server_that_is_not_there_is_silent():
    with pytest.raises(RemoteSilent):
        ask(RemoteTerminology("http://127.0.0.1:1", limit_s=2.0))
