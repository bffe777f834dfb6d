"""Every contract test runs on every store of `tests/support/stores.py`."""

from collections.abc import AsyncIterator

import pytest

from fhir_server.store.contract import Store
from tests.support.stores import STORES


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture(params=STORES)
async def store(request, tmp_path) -> AsyncIterator[Store]:
    opened = STORES[request.param](tmp_path)
    yield opened
    await opened.close()
