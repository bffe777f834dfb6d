"""Changes between two resources turn the one into the other when they are applied in order."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_server.fhirpath.model import r4_model
from fhir_server.operations.diff_changes import Change, changes_between

texts = st.sampled_from(["a", "b", "c"])
names = st.fixed_dictionaries({"text": texts}, optional={"given": st.lists(texts, min_size=1, max_size=3)})
patients = st.fixed_dictionaries(
    {"resourceType": st.just("Patient")},
    optional={
        "active": st.booleans(),
        "gender": texts,
        "name": st.lists(names, min_size=1, max_size=4),
        "contact": st.lists(st.fixed_dictionaries({"gender": texts, "name": names}), min_size=1, max_size=3),
        "maritalStatus": st.fixed_dictionaries({"text": texts}),
    },
)


def steps(path: str) -> list[str | int]:
    """`Patient.name[0].given` as name, 0, given."""
    found: list[str | int] = []
    for part in path.split(".")[1:]:
        name, _, index = part.partition("[")
        found += [name, int(index[:-1])] if index else [name]
    return found


def apply(resource: Any, change: Change) -> None:
    """Carries out one change, as FHIRPath Patch says."""
    way = steps(change.path)
    at = resource
    for step in way if change.kind == "add" else way[:-1]:
        at = at[step]
    if change.kind == "add" and r4_is_list(change):
        at.setdefault(change.name, []).append(change.new.value)
    elif change.kind == "add":
        assert change.name not in at
        at[change.name] = change.new.value
    elif change.kind == "insert":
        at[way[-1]].insert(change.at, change.new.value)
    else:
        assert at[way[-1]] == change.old.value
        if change.kind == "delete":
            del at[way[-1]]
        else:
            at[way[-1]] = change.new.value


def r4_is_list(change: Change) -> bool:
    return (change.name in ("name", "given", "contact") and "contact[" not in change.path) or change.name == "given"


def without_empty(value: Any) -> Any:
    """FHIR knows no empty lists and objects: what lost its last item is not there."""
    if isinstance(value, dict):
        return {k: v for k, child in value.items() if (v := without_empty(child)) not in ([], {})}
    return [without_empty(item) for item in value] if isinstance(value, list) else value


@settings(max_examples=150, deadline=None)
@given(patients, patients)
def test_changes_applied_in_order_make_the_second_of_the_first(before, after):
    result = without_empty(before)
    for change in list(changes_between(before, after, r4_model())):
        apply(result, change)
    assert without_empty(result) == after
    assert list(changes_between(after, after, r4_model())) == []
