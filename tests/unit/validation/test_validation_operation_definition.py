"""An OperationDefinition and the profiles of its parameters."""

import pytest

from fhir_server.validation.policy import Policy

STRICT = Policy(strict=True)


def operation(parameter, url):
    return {
        "resourceType": "OperationDefinition",
        "name": "X",
        "status": "active",
        "kind": "operation",
        "code": "x",
        "system": True,
        "type": False,
        "instance": False,
        "inputProfile": url,
        "parameter": [{"name": "who", "use": "in", "min": 1, "max": "1", **parameter}],
    }


@pytest.fixture
def compared(validator_of, profile):
    stated = profile(
        "Parameters",
        {
            "id": "Parameters.parameter",
            "slicing": {"discriminator": [{"type": "value", "path": "name"}], "rules": "open"},
        },
        {"id": "Parameters.parameter:who", "sliceName": "who", "min": 1, "max": "1"},
        {"id": "Parameters.parameter:who.name", "min": 1, "max": "1", "fixedString": "who"},
        {"id": "Parameters.parameter:who.value[x]", "min": 1, "max": "1", "type": [{"code": "string"}]},
    )
    validator = validator_of(stated)

    def run(parameter, policy=STRICT):
        issues = validator.check(operation(parameter, stated["url"]), policy=policy)
        return {
            (str(i.severity), i.key.removeprefix("validation.operation-"), i.path.rpartition("Profile")[2])
            for i in issues
        }

    return run


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        ({"type": "string"}, set()),
        ({"type": "string", "min": 0}, {("error", "parameter-differs", ".parameter[0]")}),
        ({"type": "string", "max": "*"}, {("error", "parameter-differs", ".parameter[0]")}),
        ({"type": "code"}, {("error", "parameter-differs", ".parameter[0]")}),
        (
            {"type": "string", "name": "other"},
            {("warning", "parameter-extra", ""), ("warning", "parameter-missing", ".parameter[0]")},
        ),
    ],
)
def test_the_profile_says_what_the_parameters_say(compared, parameter, expected):
    assert compared(parameter) == expected


def test_a_server_only_warns(compared):
    assert compared({"type": "code"}, Policy()) == {("warning", "parameter-differs", ".parameter[0]")}


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("http://jtys.test/no", "validation.operation-profile-unknown"),
        ("http://hl7.org/fhir/StructureDefinition/Patient", "validation.operation-profile-type"),
    ],
)
def test_the_profile_is_one_of_parameters(check, url, key):
    found = check(operation({"type": "string"}, url), policy=STRICT)
    assert ("error", key, "OperationDefinition.inputProfile") in found
