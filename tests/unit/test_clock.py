"""Ids that nobody has used."""

import uuid

from fhir_server.clock import RandomIds


def test_ids_are_different_random_uuids_of_version_4():
    ids = RandomIds()
    made = [ids.fresh() for _ in range(2000)]
    assert len(set(made)) == len(made)
    read = [uuid.UUID(one) for one in made]
    assert {(one.version, one.variant) for one in read} == {(4, uuid.RFC_4122)}
    assert [str(one) for one in read] == made
    assert {one[19] for one in made} == set("89ab")
