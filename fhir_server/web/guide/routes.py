"""Where the pages and the OpenAPI document are: `/docs`, `/docs/[type]`, `/openapi.json`."""

import asyncio
from contextlib import suppress
from functools import lru_cache

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse

from fhir_server.definitions.registry import ResourceSupport
from fhir_server.errors import FhirError
from fhir_server.fhir.json_codec import encode
from fhir_server.fhir.outcomes import language_of
from fhir_server.fhir.shapes import ResourceType
from fhir_server.interactions.context import Parts, RuleSet
from fhir_server.web.guide.content import TypeContent, system_operations, type_content
from fhir_server.web.guide.meanings import Meanings
from fhir_server.web.guide.openapi import openapi_document
from fhir_server.web.guide.pages import PATH, index_page, type_page

_SAFE = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    "x-content-type-options": "nosniff",
}


def add_guide(site: FastAPI, parts: Parts, prefix: str) -> None:
    """Adds the pages to a site; `prefix` is where its FHIR endpoint is."""

    def base_of(request: Request) -> str:
        return parts.settings.base_url or f"{request.base_url}".rstrip("/") + prefix

    async def rules_now() -> RuleSet:
        with suppress(FhirError):  # a store out of order keeps nobody from reading
            await parts.rules.catch_up()
        return parts.rules.current

    @site.get("/openapi.json", include_in_schema=False)
    async def openapi(request: Request) -> Response:
        content = await asyncio.to_thread(_openapi, parts, await rules_now(), base_of(request))
        return Response(content, media_type="application/json")

    @site.get(PATH, include_in_schema=False)
    async def index(request: Request) -> HTMLResponse:
        types = await asyncio.to_thread(_types, parts, await rules_now())
        language = language_of(request.headers.get("accept-language"))
        return HTMLResponse(index_page(base_of(request), types, system_operations(parts), language), headers=_SAFE)

    @site.get(f"{PATH}/{{type_}}", include_in_schema=False)
    async def of_type(request: Request, type_: str) -> Response:
        support = (await rules_now()).definitions.resources.get(ResourceType(type_))
        if support is None:
            return Response(status_code=404)
        content = await asyncio.to_thread(_content, parts, support)
        language = language_of(request.headers.get("accept-language"))
        return HTMLResponse(type_page(base_of(request), content, language), headers=_SAFE)


def _content(parts: Parts, support: ResourceSupport) -> TypeContent:
    return type_content(parts, support, Meanings(parts.definitions))


@lru_cache(maxsize=1)
def _types(parts: Parts, rules: RuleSet) -> tuple[TypeContent, ...]:
    """Returns what there is to tell of every type. Cost: half a second, once for a set of rules."""
    meanings = Meanings(rules.definitions)
    return tuple(type_content(parts, support, meanings) for _, support in sorted(rules.definitions.resources.items()))


@lru_cache(maxsize=2)
def _openapi(parts: Parts, rules: RuleSet, base: str) -> bytes:
    return encode(openapi_document(base, _types(parts, rules), system_operations(parts)))
