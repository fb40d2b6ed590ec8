"""Specifications, limits, and the promises that every kind of source keeps."""

import numpy as np
import pytest

from mspd_jax.data import Row, merge_parts, open_source, write_part, write_png
from mspd_jax.errors import InputError


def make_npz(path):
    images = np.random.default_rng(0).integers(0, 256, (6, 4, 5, 3), np.uint8)
    np.savez(path / "a.npz", x=images, y=np.arange(6) % 3)
    return f"npz:{path / 'a.npz'}"


def make_flat(path):
    for index in (3, 40, 500):
        write_png(
            path / f"{index:05d}_1.png", np.full((4, 5, 3), index % 256, np.uint8)
        )
    return f"folder:{path}"


def make_photos(path):
    for name in ("b.png", "a.png"):
        write_png(path / name, np.full((4, 5, 3), ord(name[0]), np.uint8))
    return f"folder:{path}"


def make_digits(path):
    return "digits:test"


def make_arrayrecord(path):
    images = np.random.default_rng(1).integers(0, 256, (6, 4, 5, 3), np.uint8)
    rows = [Row(7 * i, i % 3, f"{i}.png", levels) for i, levels in enumerate(images)]
    write_part(path / "part", rows)
    merge_parts([path / "part"], path / "images")
    return f"arrayrecord:{path / 'images'}"


MAKERS = [make_npz, make_flat, make_photos, make_digits, make_arrayrecord]


@pytest.mark.parametrize("make", MAKERS)
def test_every_source_keeps_the_contract(tmp_path, make):
    source = open_source(make(tmp_path), limit=5)
    assert source.indices.dtype == np.int64 and np.all(np.diff(source.indices) > 0)
    names = set()
    for position, index in enumerate(source.indices):
        record = source.read(position)
        assert type(record.index) is int and record.index == index
        assert type(record.label) is int and record.label <= source.max_label
        assert (record.label >= 0) == source.labelled
        assert record.image.dtype == np.float32
        assert record.image.shape == source.image_shape
        assert 0 <= record.image.min() and record.image.max() <= 1
        assert record.name.endswith(".png") and not record.name.startswith("/")
        names.add(record.name)
    assert len(names) == len(source.indices)


@pytest.mark.parametrize("make", MAKERS)
def test_limit_takes_the_first(tmp_path, make):
    spec = make(tmp_path)
    whole, one = open_source(spec), open_source(spec, limit=1)
    assert len(one.indices) == 1
    first = 0
    if make is make_photos:  # the first by its name
        first = whole.files.index(str(tmp_path / "a.png"))
    np.testing.assert_array_equal(one.indices, whole.indices[[first]])
    np.testing.assert_array_equal(one.read(0).image, whole.read(first).image)
    more = open_source(spec, limit=10**6)
    np.testing.assert_array_equal(more.indices, whole.indices)


@pytest.mark.parametrize("limit", [0, -3])
def test_limit_below_one_is_refused(limit):
    with pytest.raises(InputError, match=f"`limit`={limit}:"):
        open_source("digits:test", limit=limit)


@pytest.mark.parametrize("spec", ["", "digits", "mnist:test", "npz:", ":x", "/tmp/a"])
def test_unknown_scheme_lists_the_schemes(spec):
    with pytest.raises(InputError) as caught:
        open_source(spec)
    for scheme in (
        *("digits:", "tfds:", "folder:", "npz:", "arrayrecord:"),
        repr(spec),
    ):
        assert scheme in str(caught.value)
    assert "\n" not in str(caught.value)
