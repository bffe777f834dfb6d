"""References at commit time: what a write needs is there, and what is deleted has nobody who refers to it."""

import asyncio
from dataclasses import replace

import pytest

from fhir_server.fhir.shapes import ResourceType
from fhir_server.store.contract import MOST_REFERRERS, StillReferred, Unresolved
from tests.support.stores import NOW, TYPE, delete, entries, key, put, read

pytestmark = pytest.mark.anyio

PATIENT = key("p", "Patient")
WAYS = ((TYPE, ("subject", "performer")), (ResourceType("Basic"), ("author",)))


def needing(write, *keys):
    return replace(write, needs=frozenset(keys))


def guarded(of, expect=1):
    return replace(delete(of, expect), ways=WAYS)


def referring(of, param="subject", expect=None):
    """A resource that refers to the patient, and needs it."""
    return needing(put(of, entries(f"{param}=Patient/p"), expect=expect), PATIENT)


async def test_what_is_needed_must_be_there(store):
    with pytest.raises(Unresolved) as refused:
        await store.commit([needing(put(key("a")), PATIENT, key("q", "Patient")), put(key("b"))], NOW)
    assert refused.value.missing == {PATIENT, key("q", "Patient")}
    assert (await read(store, key("a")), await read(store, key("b"))) == (None, None)
    await store.commit([put(PATIENT)], NOW)
    await store.commit([needing(put(key("a")), PATIENT)], NOW)


async def test_what_is_deleted_is_not_there_and_comes_back(store):
    await store.commit([put(PATIENT)], NOW)
    await store.commit([delete(PATIENT, 1)], NOW)
    with pytest.raises(Unresolved):
        await store.commit([referring(key("a"))], NOW)
    await store.commit([put(PATIENT, expect=2)], NOW)
    await store.commit([referring(key("a"))], NOW)


async def test_what_the_same_commit_brings_counts_and_what_it_deletes_does_not(store):
    a, b = key("a"), key("b")
    await store.commit([needing(put(a), b), needing(put(b), a, PATIENT), put(PATIENT)], NOW)
    with pytest.raises(Unresolved) as refused:
        await store.commit([needing(put(a, expect=1), PATIENT), delete(PATIENT, 1)], NOW)
    assert refused.value.missing == {PATIENT}
    assert (await read(store, PATIENT)).version == 1


async def test_what_is_referred_to_is_not_deleted(store):
    await store.commit([put(PATIENT), referring(key("a")), referring(key("b"), "performer")], NOW)
    await store.commit([put(key("c"), entries("subject=Patient/p2", "focus=Patient/p", "subject=Patient/pp"))], NOW)
    with pytest.raises(StillReferred) as refused:
        await store.commit([guarded(PATIENT)], NOW)
    assert sorted(refused.value.pairs) == [(key("a"), PATIENT), (key("b"), PATIENT)]
    assert (await read(store, PATIENT)).body is not None
    await store.commit([delete(key("a"), 1), put(key("b"), entries("performer=Patient/x"), expect=1)], NOW)
    assert (await store.commit([guarded(PATIENT)], NOW))[0].body is None


async def test_without_ways_nobody_is_asked(store):
    await store.commit([put(PATIENT), referring(key("a"))], NOW)
    assert (await store.commit([delete(PATIENT, 1)], NOW))[0].body is None


async def test_what_the_same_commit_makes_of_a_referrer_is_what_counts(store):
    a, b = key("a"), key("b")
    await store.commit([put(PATIENT), referring(a), referring(b)], NOW)
    still = put(b, entries("subject=Patient/p"), expect=1)
    with pytest.raises(StillReferred) as refused:
        await store.commit([guarded(PATIENT), guarded(a), still], NOW)
    assert refused.value.pairs == ((b, PATIENT),)
    await store.commit([guarded(PATIENT), guarded(a), put(b, entries("subject=Patient/x"), expect=1)], NOW)
    assert (await read(store, PATIENT)).body is None


async def test_a_resource_does_not_hold_itself(store):
    own = key("o")
    await store.commit([needing(put(own, entries("subject=Observation/o")), own)], NOW)
    assert (await store.commit([guarded(own)], NOW))[0].body is None


async def test_only_the_first_of_many_referrers_are_named(store):
    await store.commit([put(PATIENT), *(referring(key(f"r{n:03}")) for n in range(100))], NOW)
    with pytest.raises(StillReferred) as refused:
        await store.commit([guarded(PATIENT)], NOW)
    assert len(set(refused.value.pairs)) == MOST_REFERRERS


@pytest.mark.parametrize("round_", range(20))
async def test_of_a_deletion_and_a_new_referrer_at_once_one_wins(store, round_):
    await store.commit([put(PATIENT)], NOW)
    commits = [store.commit([guarded(PATIENT)], NOW), store.commit([referring(key("a"))], NOW)]
    results = await asyncio.gather(*(commits if round_ % 2 else reversed(commits)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in results) in (["StillReferred", "tuple"], ["Unresolved", "tuple"])
    patient, referrer = await read(store, PATIENT), await read(store, key("a"))
    assert (patient.body is None) == (referrer is None)


async def test_a_refused_unit_does_not_touch_those_that_wait_with_it(store):
    await store.commit([put(PATIENT)], NOW)
    units = [[referring(key(f"a{n}"))] if n % 2 else [needing(put(key(f"a{n}")), key("none"))] for n in range(20)]
    results = await asyncio.gather(*(store.commit(unit, NOW) for unit in units), return_exceptions=True)
    assert [isinstance(one, Unresolved) for one in results] == [n % 2 == 0 for n in range(20)]
    with pytest.raises(StillReferred):
        await store.commit([guarded(PATIENT)], NOW)
