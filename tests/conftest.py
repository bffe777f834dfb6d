"""Fixtures for all rooms."""

import gc
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def frozen():
    """What earlier tests left is kept from the garbage collector, as a server does with all that it has made at its start.

    For tests that take the time: one look through the objects of a whole run takes longer than what they measure.
    """
    gc.freeze()
    yield
    gc.unfreeze()


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
