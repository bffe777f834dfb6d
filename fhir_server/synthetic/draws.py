"""Seeded draws: one seed and purpose give the same numbers on every machine. https://docs.python.org/3/library/random.html."""

from collections.abc import Mapping
from datetime import date, timedelta
from random import Random
from statistics import NormalDist
from typing import TypeVar

T = TypeVar("T")
_NORMAL = NormalDist()


def stream(seed: int, purpose: str) -> Random:
    """Returns the random numbers of one purpose, so that a change in one part of the population moves no other."""
    return Random(f"{seed}/{purpose}")  # noqa: S311 - repeatable on purpose, nothing secret is drawn


def pick(rng: Random, weights: Mapping[T, float]) -> T:
    """Returns one of the keys, drawn by weight."""
    return rng.choices(list(weights), list(weights.values()))[0]


def shares(rng: Random, count: int, weights: Mapping[T, float]) -> list[T]:
    """Returns `count` keys in random order whose numbers keep the weights to within one (largest remainder)."""
    total = sum(weights.values())
    exact = {key: count * weight / total for key, weight in weights.items()}
    numbers = {key: int(value) for key, value in exact.items()}
    by_rest = sorted(exact, key=lambda key: numbers[key] - exact[key])
    for key in by_rest[: count - sum(numbers.values())]:
        numbers[key] += 1
    found = [key for key, number in numbers.items() for _ in range(number)]
    rng.shuffle(found)
    return found


def standard(rng: Random) -> float:
    """Returns a standard normal number."""
    return _NORMAL.inv_cdf(min(max(rng.random(), 1e-9), 1 - 1e-9))


def near(rng: Random, mean: float, *, deviation: float, low: float, high: float) -> float:
    """Returns a normal number, kept between `low` and `high`."""
    return min(max(mean + deviation * standard(rng), low), high)


def day_between(rng: Random, first: date, last: date) -> date:
    """Returns a day from `first` to `last`, both included; `first` when the range is empty."""
    return first + timedelta(days=rng.randint(0, max((last - first).days, 0)))


def days_after(day: date, days: int) -> date:
    """Returns the day so many days later (earlier when negative)."""
    return day + timedelta(days=days)


def years_after(day: date, years: int) -> date:
    """Returns the same day of another year; 29 February becomes the 28th."""
    is_leap_day = (day.month, day.day) == (2, 29)
    return day.replace(year=day.year + years, day=28 if is_leap_day else day.day)


def age_on(birth: date, day: date) -> int:
    """Returns the age in full years on a day."""
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))
