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


def flag_on(reference: str) -> dict:
    return {
        "resourceType": "Flag",
        "status": "active",
        "code": {"text": "过敏"},
        "subject": {"reference": reference},
    }


def bundle_of(type_: str, *entries: tuple[str, str, dict | None, str | None]) -> dict:
    made = []
    for method, url, resource, full_url in entries:
        one = {"request": {"method": method, "url": url}}
        made.append(one | ({"resource": resource} if resource else {}) | ({"fullUrl": full_url} if full_url else {}))
    return {"resourceType": "Bundle", "type": type_, "entry": made}


def statuses_of(bundle) -> list[str]:
    return [entry["response"]["status"] for entry in bundle["entry"]]


TRANSACTION = bundle_of(
    "transaction",
    ("POST", "Flag", flag_on("urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a"), None),
    ("POST", "Patient", new_patient("bundled"), "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a"),
)
BATCH = bundle_of("batch", ("GET", "Patient?_count=1", None, None), ("GET", "Patient/nobody", None, None))


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


def test_fhirpy_patches_and_writes_by_criteria(base_url):
    from fhirpy import SyncFHIRClient
    from fhirpy.base.exceptions import MultipleResourcesFound, OperationOutcome, ResourceNotFound

    client = SyncFHIRClient(base_url)
    patients = client.resources("Patient").search(identifier="urn:clients|fhirpy-c")
    made, is_new = patients.get_or_create(client.resource("Patient", **new_patient("fhirpy-c")))
    again, is_new_again = patients.get_or_create(client.resource("Patient", **new_patient("fhirpy-c")))
    assert (is_new, is_new_again, again.id) == (True, False, made.id)
    updated, is_new = patients.update(client.resource("Patient", **new_patient("fhirpy-c"), active=True))
    assert (is_new, updated.id, updated["active"]) == (False, made.id, True)
    updated.patch(gender="male")
    updated["birthDate"] = "1991-02-03"
    updated.save(fields=["birthDate"])
    assert patients.patch(active=False)["active"] is False
    stored = client.get("Patient", made.id)
    assert (stored["gender"], stored["birthDate"], stored["meta"]["versionId"]) == ("male", "1991-02-03", "5")
    assert patients.get().id == made.id
    client.resource("Patient", **new_patient("fhirpy-c")).save()
    with pytest.raises(MultipleResourcesFound):
        patients.get()
    with pytest.raises(MultipleResourcesFound):
        patients.update(client.resource("Patient", **new_patient("fhirpy-c")))
    with pytest.raises(OperationOutcome):
        made.patch(gender="unheard-of")
    with pytest.raises(ResourceNotFound):
        client.get("Patient", "nobody")


def test_fhirpy_sends_bundles_reads_histories_and_calls_operations(base_url):
    from fhirpy import SyncFHIRClient

    client = SyncFHIRClient(base_url)
    transaction = client.resource("Bundle", **TRANSACTION)
    transaction.save()
    assert statuses_of(transaction) == ["201", "201"]
    flag = client.execute(transaction["entry"][0]["response"]["location"].split("/fhir/")[1], method="get")
    patient = client.reference(reference=flag["subject"]["reference"]).to_resource()
    assert patient["identifier"][0]["value"] == "bundled"
    batch = client.resource("Bundle", **BATCH)
    batch.save()
    assert statuses_of(batch) == ["200", "404"]
    history = patient.execute("_history", method="get")
    assert [entry["request"]["method"] for entry in history["entry"]] == ["POST"]
    assert patient.is_valid()
    everything = patient.execute("$everything", method="get")
    assert {entry["resource"]["resourceType"] for entry in everything["entry"]} == {"Patient", "Flag"}
    flags = client.resources("Flag").search(subject=patient.to_reference()).include("Flag", "subject").fetch_raw()
    assert {entry["resource"]["resourceType"] for entry in flags["entry"]} == {"Patient", "Flag"}


@pytest.fixture
def smart(base_url):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from fhirclient import client

        yield client.FHIRClient(settings={"app_id": "tests", "api_base": base_url})


def test_fhirclient_creates_reads_updates_searches_pages_and_deletes(smart):
    from fhirclient.models.patient import Patient
    from fhirclient.server import FHIRNotFoundException

    made = [Patient(new_patient("fhirclient-1")).create(smart.server)["id"] for _ in range(3)]
    patient = Patient.read(made[0], smart.server)
    assert patient.name[0].text == "测试员"
    patient.gender = "other"
    patient.update(smart.server)
    criteria = {"identifier": "urn:clients|fhirclient-1", "gender": "other"}
    found = Patient.where(struct=criteria).perform_resources(smart.server)
    assert [(p.id, p.gender) for p in found] == [(made[0], "other")]
    paged = Patient.where(struct={"identifier": "urn:clients|fhirclient-1", "_count": "1"})
    assert {p.id for p in paged.perform_resources_iter(smart.server)} == set(made)
    patient.delete()
    with pytest.raises(FHIRNotFoundException):
        Patient.read("nobody", smart.server)
    history = smart.server.request_json(f"Patient/{made[0]}/_history")
    assert [entry["request"]["method"] for entry in history["entry"]] == ["DELETE", "PUT", "POST"]
    first = Patient(smart.server.request_json(f"Patient/{made[0]}/_history/1"))
    assert first.gender == "female"


def test_fhirclient_sends_bundles_and_calls_operations(smart):
    from fhirclient.models.bundle import Bundle

    assert smart.server.capabilityStatement.fhirVersion == "4.0.1"
    transaction = Bundle(TRANSACTION)
    answer = Bundle(smart.server.post_json("", transaction.as_json()).json())
    assert [entry.response.status for entry in answer.entry] == ["201", "201"]
    batch = Bundle(smart.server.post_json("", Bundle(BATCH).as_json()).json())
    assert [entry.response.status for entry in batch.entry] == ["200", "404"]
    place = answer.entry[1].response.location.split("/fhir/")[1].partition("/_history")[0]
    everything = Bundle(smart.server.request_json(f"{place}/$everything"))
    assert {entry.resource.resource_type for entry in everything.entry} == {"Patient", "Flag"}


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
