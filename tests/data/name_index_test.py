"""Indices of names: one each, 31 bits, whatever else is in the folder."""

import numpy as np
import pytest

from mspd_jax.data import _name_index
from mspd_jax.data._name_index import name_indices

NAMES = [f"IMG_{number}.png" for number in range(2000)]


def test_the_order_and_the_other_names_do_not_matter():
    whole = dict(zip(NAMES, name_indices(NAMES), strict=True))
    assert name_indices(NAMES[::-1]) == [whole[name] for name in NAMES[::-1]]
    assert name_indices(NAMES[7:9]) == [whole[name] for name in NAMES[7:9]]


def test_indices_are_spread_over_31_bits():
    # Fixed names. Of uniform draws the largest would lie below 0.99 once in 5e8 times.
    indices = np.array(name_indices(NAMES), np.float64) / 2**31
    assert 0 <= indices.min() < 0.01 and 0.99 < indices.max() < 1
    assert abs(indices.mean() - 0.5) < 0.03  # five standard deviations


def test_the_index_is_part_of_what_results_rest_on():
    # Another hash would be other noise for every photo: never change these.
    assert name_indices(["tom.png", "cat/tom.png"]) == [144477025, 1330618059]


def test_two_ways_to_write_an_accent_are_one_name():
    assert name_indices(["caf\u00e9.png"]) == name_indices(["cafe\u0301.png"])


@pytest.fixture
def narrow(monkeypatch):
    """Hashes of few bits, so that names collide."""
    wide = _name_index._hash
    monkeypatch.setattr(_name_index, "_hash", lambda name, n: wide(name, n) % 5000)


def test_names_of_one_hash_have_indices_of_their_own(narrow):
    alone = [name_indices([name])[0] for name in NAMES]
    assert len(set(alone)) < 1800
    indices = name_indices(NAMES)
    assert len(set(indices)) == len(NAMES)
    assert name_indices(NAMES[::-1])[::-1] == indices
    # Nobody who is alone with a hash, or the first who has it, moves for another.
    first = {}
    for name, index in sorted(zip(NAMES, alone, strict=True)):
        first.setdefault(index, name)
    found = dict(zip(NAMES, indices, strict=True))
    assert all(found[name] == index for index, name in first.items())
