"""`$reindex` and the state of its runs, by the asynchronous pattern of https://hl7.org/fhir/R4/async.html."""

from fhir_server.errors import MissingElement, NotFound, StoreUnavailable
from fhir_server.fhir.json_codec import encode
from fhir_server.fhir.shapes import JsonObject, ResourceId
from fhir_server.interactions.body import check_id
from fhir_server.interactions.context import Parts, Target
from fhir_server.interactions.indexing import Indexer, IndexJob
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.interactions.queries import refuse_unknown
from fhir_server.store.contract import Key

STATUS = "$reindex-status"


async def reindex(parts: Parts, request: FhirRequest, target: Target) -> FhirResponse:
    """Starts to file everything anew, or what is of one type, or one resource; 202 says where the state is.

    Raises:
        NotFound: the server has no such resource.
    """
    refuse_unknown(request, ())
    only = None
    if target.type is not None and target.id is not None:
        check_id(target.id)
        only = Key(target.type, ResourceId(target.id))
        stored = await parts.store.read(only)
        if stored is None or stored.body is None:
            raise NotFound.of("rest.not-found", key=str(only))
    types = [target.type] if target.type else sorted(parts.definitions.resources)
    job = await _indexer(parts).begin(types, only=only)
    return FhirResponse(202, content_location=f"{STATUS}?job={job.id}", progress=job.progress)


async def reindex_status(parts: Parts, request: FhirRequest, target: Target) -> FhirResponse:
    """Returns the state of a run: 202 with `X-Progress` while it runs, then 200 with what it did; DELETE ends it.

    Without `job`, the states of the last hundred runs of every server on the store.

    Raises:
        NotFound: there is no such run.
    """
    refuse_unknown(request, ("job",))
    jobs = await _indexer(parts).runs()
    id_ = dict(request.query).get("job")
    if id_ is None:
        if request.method == "DELETE":
            raise MissingElement.of("search.reindex-unnamed", "job")
        return FhirResponse(200, encode(_parameters([_part(job) for job in jobs.values()])))
    job = jobs.get(id_)
    if job is None:
        raise NotFound.of("search.reindex-unknown", "job", job=id_)
    if request.method == "DELETE":
        await _indexer(parts).cancel(id_)
        return FhirResponse(202)
    if job.state == "running":
        return FhirResponse(202, progress=job.progress, retry_after_s=1)
    return FhirResponse(200, encode(_parameters([_part(job)])))


def _indexer(parts: Parts) -> Indexer:
    if parts.rules.indexer is None:
        raise StoreUnavailable.of("search.reindex-none")
    return parts.rules.indexer


def _parameters(parameters: list[JsonObject]) -> JsonObject:
    found: JsonObject = {"resourceType": "Parameters"}
    return {**found, "parameter": parameters} if parameters else found


def _part(job: IndexJob) -> JsonObject:
    texts = {"job": job.id, "state": job.state, "progress": job.progress}
    numbers = {"total": job.total, "done": job.done, "skipped": job.skipped}
    parts: list[JsonObject] = [{"name": name, "valueString": text} for name, text in texts.items()]
    parts += [{"name": name, "valueInteger": number} for name, number in numbers.items()]
    parts += [{"name": "parameter", "valueCode": code} for code in job.codes]
    return {"name": "run", "part": parts}
