"""The whole web application: FastAPI with health checks, the FHIR endpoint before it, CORS and gzip where asked for."""

import re
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
from fhir_server.web.guide.pages import PATH
from fhir_server.web.guide.routes import add_guide

EXPOSED = ["ETag", "Location", "Last-Modified", "Content-Location", "Retry-After", "Allow", "X-Progress"]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
GZIP_FROM_BYTES = 1024
_READS_GZIP = re.compile(rb"\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))")


def web_application(parts: Parts) -> AsgiApp:
    """Returns the ASGI application of a server: `/fhir/...`, `/healthz`, `/readyz`, `/`.

    A request goes through the CORS rules only when a browser says where it comes from, and its response through the
    compressor only when the client can read it compressed.
    """
    site = _site(parts)
    endpoint = fhir_endpoint(parts)

    async def plain(scope: Scope, receive: Receive, send: Send) -> None:
        await (endpoint if _is_fhir(scope) else site)(scope, receive, send)

    compressed = GZipMiddleware(plain, minimum_size=GZIP_FROM_BYTES, compresslevel=5)
    guarded, guarded_and_compressed = _with_cors(parts, plain), _with_cors(parts, compressed)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        from_browser = reads_gzip = False
        for name, value in scope.get("headers", ()):
            if name == b"origin":
                from_browser = True
            elif name == b"accept-encoding":
                reads_gzip = b"gzip" in value and _READS_GZIP.search(value) is not None
        if from_browser:
            await (guarded_and_compressed if reads_gzip else guarded)(scope, receive, send)
        elif reads_gzip:
            await compressed(scope, receive, send)
        else:
            await (endpoint if _is_fhir(scope) else site)(scope, receive, send)

    return application


def _is_fhir(scope: Scope) -> bool:
    path = scope.get("path", "")
    return path.startswith(PREFIX) and path[len(PREFIX) :][:1] in {"", "/"} and scope["type"] == "http"


def _with_cors(parts: Parts, application: AsgiApp) -> AsgiApp:
    origins = [o.strip() for o in parts.settings.cors_origins.split(",") if o.strip()]
    return CORSMiddleware(
        application,
        allow_origins=origins,
        allow_methods=METHODS,
        allow_headers=["*"],
        allow_credentials=bool(origins) and "*" not in origins,  # sites that are named may send what they sign in with
        expose_headers=EXPOSED,
    )


def _site(parts: Parts) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await parts.store.close()

    site = FastAPI(
        title="fhir-server", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None
    )
    add_guide(site, parts, PREFIX)

    @site.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Tells that the process is alive."""
        return {"status": "alive"}

    @site.get("/readyz")
    async def readyz(response: Response) -> dict[str, str]:
        """Tells whether the store can be read; 503 when not."""
        try:
            await parts.store.read(Key(ResourceType("Patient"), ResourceId("readiness")))
        except FhirError as error:
            response.status_code = error.status
            return {"status": "store unusable"}
        return {"status": "ready"}

    @site.get("/")
    async def root() -> dict[str, str]:
        """Says where things are."""
        return {
            "fhir": PREFIX,
            "metadata": f"{PREFIX}/metadata",
            "documentation": PATH,
            "openapi": "/openapi.json",
            "health": "/healthz",
            "readiness": "/readyz",
        }

    return site
