"""The whole web application: FastAPI with health checks, the FHIR endpoint before it, CORS and gzip where asked for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Response
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware

from fhir_server import __version__
from fhir_server.errors import FhirError
from fhir_server.fhir.shapes import ResourceId, ResourceType
from fhir_server.interactions.context import Parts
from fhir_server.store.contract import Key
from fhir_server.web.endpoint import PREFIX, AsgiApp, Receive, Scope, Send, fhir_endpoint

EXPOSED = ["ETag", "Location", "Last-Modified"]
GZIP_FROM_BYTES = 1024


def web_application(parts: Parts) -> AsgiApp:
    """Returns the ASGI application of a server: `/fhir/...`, `/healthz`, `/readyz`, `/`."""
    site = _site(parts)
    endpoint = fhir_endpoint(parts)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        is_fhir = scope["type"] == "http" and (path == PREFIX or path.startswith(PREFIX + "/"))
        await (endpoint if is_fhir else site)(scope, receive, send)

    return _with_cors(parts, _with_gzip(application))


def _with_gzip(application: AsgiApp) -> AsgiApp:
    """Sends a response through the compressor only when the client can read it compressed."""
    compressed = GZipMiddleware(application, minimum_size=GZIP_FROM_BYTES, compresslevel=5)

    async def chosen(scope: Scope, receive: Receive, send: Send) -> None:
        wanted = any(k == b"accept-encoding" and b"gzip" in v for k, v in scope.get("headers", ()))
        await (compressed if wanted else application)(scope, receive, send)

    return chosen


def _with_cors(parts: Parts, application: AsgiApp) -> AsgiApp:
    """Sends a request through the CORS rules only when a browser says where it comes from."""
    origins = [o.strip() for o in parts.settings.cors_origins.split(",") if o.strip()]
    guarded = CORSMiddleware(
        application, allow_origins=origins, allow_methods=["*"], allow_headers=["*"], expose_headers=EXPOSED
    )

    async def chosen(scope: Scope, receive: Receive, send: Send) -> None:
        from_browser = any(k == b"origin" for k, _ in scope.get("headers", ()))
        await (guarded if from_browser else application)(scope, receive, send)

    return chosen


def _site(parts: Parts) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await parts.store.close()

    site = FastAPI(title="fhir-server", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)

    @site.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Tells that the process is alive."""
        return {"status": "alive"}

    @site.get("/readyz")
    async def readyz(response: Response) -> dict[str, str]:
        """Tells whether the store can be read; 503 when not."""
        try:
            async with parts.store.snapshot() as snapshot:
                await snapshot.read(Key(ResourceType("Patient"), ResourceId("readiness")))
        except FhirError as error:
            response.status_code = error.status
            return {"status": "store unusable"}
        return {"status": "ready"}

    @site.get("/")
    async def root() -> dict[str, str]:
        """Says where things are."""
        return {"fhir": PREFIX, "metadata": f"{PREFIX}/metadata", "health": "/healthz", "readiness": "/readyz"}

    return site
