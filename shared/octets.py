"""Whole numbers from 0 to 255 by their differences, modulo 256: of all at once, since a string of bytes is one large
number whose digits can be added and taken apart without a carry."""

from __future__ import annotations

from functools import lru_cache


def apart(values: bytes) -> bytes:
    """Of each, how far it is from the one before; of the first, from 0."""
    low, high = _masks(len(values))
    number = int.from_bytes(values)
    before = number >> 8
    return (((number | high) - (before & low)) ^ ((number ^ before ^ high) & high)).to_bytes(len(values))


def together(differences: bytes) -> bytes:
    """The values again: each with the one before, then with the sum of two before that, of four, of eight …"""
    low, high = _masks(len(differences))
    number, behind = int.from_bytes(differences), 8
    while behind < 8 * len(differences):
        before = number >> behind
        number = ((number & low) + (before & low)) ^ ((number ^ before) & high)
        behind *= 2
    return number.to_bytes(len(differences))


@lru_cache(maxsize=64)
def _masks(count: int) -> tuple[int, int]:
    """Each byte but its highest bit, which is where a carry would go; and these bits."""
    return int.from_bytes(b"\x7f" * count), int.from_bytes(b"\x80" * count)
