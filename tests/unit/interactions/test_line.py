"""Transactions are planned one after another, so that the store writes one while the next is planned."""

import asyncio

import pytest

from fhir_server.interactions.write_plan import Plan, repeat_on_lost_race
from fhir_server.store.contract import NotSearchable
from support.rest import RestServer


@pytest.fixture
def server():
    running = RestServer()
    yield running
    running.close()


def planned_together(server, searching=False, unexpectedly=False):
    """Returns when two plans begin and end, and from when on each is answered."""
    seen: list[str] = []

    def attempt(name):
        tried: list[int] = []

        async def plan(snapshot, now):
            if unexpectedly and not tried:
                tried.append(1)
                raise NotSearchable
            seen.append(f"{name} begins")
            for _ in range(5):
                await asyncio.sleep(0)
            seen.append(f"{name} ends")
            return Plan((), lambda _: None)

        return plan

    async def both():
        await asyncio.gather(
            *(
                repeat_on_lost_race(server.parts, "", attempt(name), searching=searching, in_line=True)
                for name in ("one", "two")
            )
        )

    server.loop.run_until_complete(both())
    return seen


def test_what_computes_long_is_planned_one_after_another(server):
    assert planned_together(server) == ["one begins", "one ends", "two begins", "two ends"]


@pytest.mark.parametrize("unexpectedly", [False, True])
def test_who_searches_keeps_nobody_waiting(server, unexpectedly):
    seen = planned_together(server, searching=not unexpectedly, unexpectedly=unexpectedly)
    assert seen[:2] == ["one begins", "two begins"]
