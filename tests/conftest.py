"""Fixtures for all rooms."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def server():
    from support.rest import RestServer

    running = RestServer()
    yield running
    running.close()


@pytest.fixture
def lenient_server():
    """A server that stores what it is given: for tests about HTTP, not about validity."""
    from support.rest import RestServer

    running = RestServer(validation="off")
    yield running
    running.close()
