"""Bodies are read as far as the limits let them, and no further."""

import asyncio

import pytest

from fhir_server.errors import InvalidRequest, TooCostly, TooLarge
from fhir_server.interactions.messages import FhirRequest
from fhir_server.settings import Settings
from fhir_server.web.bodies import MOST_PARAMETERS, check_parameters, read_body

SETTINGS = Settings(max_body_bytes=100, max_values=10)


def read(*parts: bytes, **headers: str) -> tuple[object, int]:
    """The body, or the key of what refuses it; and how many parts were asked for."""
    asked = 0

    async def receive():
        nonlocal asked
        asked += 1
        if asked > len(parts):
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": parts[asked - 1], "more_body": asked < len(parts) or "gone" in headers}

    try:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return asyncio.run(read_body(SETTINGS, FhirRequest("POST", ("Patient",), headers=names), receive)), asked
    except (TooLarge, InvalidRequest) as error:
        return error.issues[0].key, asked


def test_parts_become_one_body():
    assert read(b"ab", b"", b"cd") == (b"abcd", 3)
    assert read(b"") == (b"", 1)
    assert read(b"x" * 100) == (b"x" * 100, 1)


def test_a_body_that_says_it_is_too_large_is_not_read():
    assert read(b"x", content_length="101") == ("rest.body-too-large", 0)


def test_a_body_that_turns_out_too_large_is_read_no_further():
    assert read(*[b"x" * 30] * 9) == ("rest.body-too-large", 4)


def test_half_a_body_is_no_body():
    assert read(b"ab", gone="yes") == ("transport.body-incomplete", 2)


@pytest.mark.parametrize("body", [b"," * 11, b"<a/>" * 11, b",<" * 6])
def test_too_many_values_are_refused_before_they_are_read(body):
    assert read(body) == ("transport.body-too-many-values", 1)


def test_as_many_values_as_allowed_are_read():
    assert read(b"," * 10)[0] == b"," * 10


def test_parameters_are_counted():
    check_parameters(MOST_PARAMETERS)
    with pytest.raises(TooCostly, match="501"):
        check_parameters(MOST_PARAMETERS + 1)
