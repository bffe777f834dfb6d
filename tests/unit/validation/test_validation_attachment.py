"""Attachments whose size and hash are stated, https://hl7.org/fhir/R4/datatypes.html#attachment."""

import pytest

from fhir_server.validation.policy import SERVER, STRICT

HASH = "qZk+NkcGgWq6PiVxeFDCbJzQ2J0="
"""SHA-1 of `abc`."""


def found_in(check, policy, **attachment: object):
    photo = [{"contentType": "text/plain", **attachment}]
    found = check({"resourceType": "Patient", "photo": photo}, policy=policy)
    return {(severity, key.removeprefix("validation."), path.removeprefix("Patient.")) for severity, key, path in found}


@pytest.mark.parametrize(
    ("attachment", "expected"),
    [
        ({"data": "YWJj", "size": 3, "hash": HASH}, set()),
        ({"data": "YW\r\nJj ", "size": 3, "hash": HASH}, set()),
        ({"data": "YWJj", "size": 4}, {("error", "attachment-size", "photo[0].size")}),
        ({"data": "YWJk", "hash": HASH}, {("error", "attachment-hash", "photo[0].hash")}),
        ({"hash": HASH, "size": 9, "url": "http://jtys.test/a"}, set()),
        ({"data": "YW%j", "hash": HASH}, {("error", "primitive-format", "photo[0].data")}),
    ],
)
def test_size_and_hash_are_those_of_the_data(check, attachment, expected):
    found = found_in(check, STRICT, **attachment)
    assert {one for one in found if one[0] == "error"} == expected


def test_a_server_keeps_an_attachment_with_another_hash(check):
    assert found_in(check, SERVER, data="YWJk", hash=HASH) == {("warning", "attachment-hash", "photo[0].hash")}
