"""Sides of an image that Fourier transforms are slow with."""

from __future__ import annotations

from collections.abc import Iterable

from scalebridge.cell.discretisation import Discretisation

_LARGE = 19  # measured: transforms with larger prime factors take 1.5 to 3 times as long
_GOOD = 7
_LONG = 3_000_000  # voxels × field components from which it is worth a word in a run


def slow_sides(grids: Iterable[Discretisation]) -> str:
    """Return a warning of periodic sides with large prime factors; empty if there are none."""
    found: dict[str, tuple[int, int]] = {}
    for disc in grids:
        for axis, n in enumerate(disc.shape):
            factor = largest_prime_factor(n)
            if axis not in disc.bounded and factor > _LARGE:
                found["xyz"[axis]] = n, factor
    if not found:
        return ""
    sides = ", ".join(
        f"{axis} = {n}" + (f" (prime factor {f})" if f < n else " (prime)")
        for axis, (n, f) in found.items()
    )
    better = ", ".join(f"{axis} to {good_size(n)}" for axis, (n, _) in found.items())
    return (
        f"slow Fourier transforms along {sides}: up to three times the time; "
        f"if the image allows it, crop {better}"
    )


def is_long(disc: Discretisation) -> bool:
    """Whether a grid is so large that slow transforms are felt."""
    return disc.voxels * disc.unknowns >= _LONG


def largest_prime_factor(n: int) -> int:
    """Return the largest prime factor of n ≥ 1, and 1 of 1."""
    largest, factor = 1, 2
    while n > 1:
        if factor * factor > n:
            return n
        while n % factor == 0:
            largest, n = factor, n // factor
        factor += 1
    return largest


def good_size(n: int) -> int:
    """Return the largest number up to n ≥ 1 that has no prime factor above 7."""
    return next(m for m in range(n, 0, -1) if largest_prime_factor(m) <= _GOOD)
