"""Which of two places in a result comes first, https://hl7.org/fhir/R4/search.html#_sort."""

from collections.abc import Sequence

from fhir_server.search.match import SortValue
from fhir_server.search.query import SortKey


def compare_values(keys: Sequence[SortKey], left: Sequence[SortValue], right: Sequence[SortValue]) -> int:
    """Returns a number below 0 if the values on the left come first, above 0 if those on the right do, else 0.

    There is one value a key; an absent one comes last in both directions.
    """
    for key, one, other in zip(keys, left, right, strict=True):
        if one == other:
            continue
        if one is None or other is None:
            return 1 if one is None else -1
        less: bool = one < other  # type: ignore[operator]  # one key never mixes numbers and texts
        return -1 if less != key.descending else 1
    return 0
