"""Ready-made FHIR clients drive a real server over HTTP without special handling."""

import asyncio
import warnings
from pathlib import Path

import pytest

from fhir_server.fhir.json_codec import decode, encode
from support.live import live_server

EXAMPLES = Path(__file__).parents[2] / "profiles" / "fd-contract" / "examples" / "valid"


@pytest.fixture(scope="module")
def base_url(tmp_path_factory):
    with live_server(tmp_path_factory.mktemp("live")) as url:
        yield url


def new_patient(number: str) -> dict:
    return {
        "resourceType": "Patient",
        "identifier": [{"system": "urn:clients", "value": number}],
        "name": [{"text": "测试员"}],
        "gender": "female",
        "birthDate": "1990-01-01",
    }


def test_fhirpy_creates_reads_updates_searches_pages_and_deletes(base_url):
    from fhirpy import AsyncFHIRClient

    async def drive() -> None:
        client = AsyncFHIRClient(base_url)
        made = [client.resource("Patient", **new_patient(f"fhirpy-{n}")) for n in range(5)]
        for patient in made:
            await patient.save()
        assert all(p.id for p in made)
        made[0]["gender"] = "male"
        await made[0].save()
        again = await client.reference("Patient", made[0].id).to_resource()
        assert (again["gender"], again["meta"]["versionId"]) == ("male", "2")
        found = await client.resources("Patient").search(identifier="urn:clients|fhirpy-3").fetch()
        assert [p.id for p in found] == [made[3].id]
        paged = await client.resources("Patient").search(name="测试").limit(2).fetch_all()
        assert {p.id for p in made} <= {p.id for p in paged}
        assert await client.resources("Patient").search(identifier="fhirpy-4").count() == 1
        await made[4].delete()
        assert await client.resources("Patient").search(identifier="fhirpy-4").fetch() == []

    asyncio.run(drive())


def test_fhirclient_creates_reads_updates_and_searches(base_url):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from fhirclient import client
        from fhirclient.models.patient import Patient

        smart = client.FHIRClient(settings={"app_id": "tests", "api_base": base_url})
        created = Patient(new_patient("fhirclient-1")).create(smart.server)
        patient = Patient.read(created["id"], smart.server)
        assert patient.name[0].text == "测试员"
        patient.gender = "other"
        patient.update(smart.server)
        found = Patient.where(struct={"identifier": "urn:clients|fhirclient-1"}).perform_resources(smart.server)
        assert [(p.id, p.gender) for p in found] == [(created["id"], "other")]


def elsewhere(value):
    """References to resources that this server does not have lead to another server."""
    if isinstance(value, list):
        return [elsewhere(item) for item in value]
    if not isinstance(value, dict):
        return value
    target = value.get("reference")
    if isinstance(target, str) and target[:1].isupper():
        return {**value, "reference": f"http://elsewhere.example/fhir/{target}"}
    return {key: elsewhere(child) for key, child in value.items()}


def test_everything_that_comes_back_loads_in_fhir_resources(base_url):
    import httpx
    from fhir.resources.R4B import get_fhir_model_class

    files = sorted(EXAMPLES.glob("*.json"))
    assert len(files) >= 20
    with httpx.Client(base_url=base_url, headers={"content-type": "application/fhir+json"}) as http:
        loaded = []
        for number, file in enumerate(files):
            type_ = file.read_text("utf-8").partition('"resourceType"')[2].partition('"')[2].partition('"')[0]
            stored = http.post(f"/{type_}", content=encode(elsewhere(decode(file.read_bytes()))))
            assert stored.status_code == 201, (number, file.name, stored.text)
            get_fhir_model_class(type_).model_validate_json(stored.content)
            bundle = http.get(f"/{type_}", params={"_count": 1})
            get_fhir_model_class("Bundle").model_validate_json(bundle.content)
            loaded.append(type_)
        metadata = http.get("/metadata")
        get_fhir_model_class("CapabilityStatement").model_validate_json(metadata.content)
        outcome = http.get("/Patient/nobody")
        get_fhir_model_class("OperationOutcome").model_validate_json(outcome.content)
    assert {"Patient", "CareTeam", "EpisodeOfCare", "Observation", "ServiceRequest", "Task"} <= set(loaded)
