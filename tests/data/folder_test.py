"""Folders as users and other programs leave them."""

import os

import numpy as np
import pytest
from PIL import Image

from mspd_jax.data import check_compatible, open_source, write_png
from mspd_jax.data._name_index import name_indices
from mspd_jax.errors import InputError


def put(root, *names, shape=(4, 5, 3)):
    for number, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        levels = np.full(shape, number + 1, np.uint8)
        Image.fromarray(levels if shape[-1] == 3 else levels[..., 0]).save(path)
    return f"folder:{root}"


def read_all(source):
    return [source.read(i) for i in range(len(source.indices))]


def summary(source):
    """(index, label, name) in the order of the index."""
    return [(r.index, r.label, r.name) for r in read_all(source)]


def labels(source):
    """(label, name) in the order of the names, where the index follows from those."""
    records = sorted(read_all(source), key=lambda record: record.name)
    want = name_indices([record.name for record in records])
    assert [record.index for record in records] == want
    return [(record.label, record.name) for record in records]


def test_class_folders(tmp_path):
    spec = put(tmp_path, "dog/z.png", "cat/tom.JPG", "cat/deep/er.bmp")
    (tmp_path / "fish").mkdir()  # a class without images is still a class
    source = open_source(spec)
    assert labels(source) == [
        (0, "cat/deep/er.png"),
        (0, "cat/tom.png"),
        (1, "dog/z.png"),
    ]
    assert source.class_names == ("cat", "dog", "fish") and source.num_classes == 3
    assert source.max_label == 1 and source.labelled
    assert source.image_shape == (4, 5, 3)


def test_class_folders_named_by_integers_keep_them(tmp_path):
    source = open_source(put(tmp_path, "10/a.png", "2/b.png"))
    assert labels(source) == [(10, "10/a.png"), (2, "2/b.png")]
    assert source.num_classes is None and source.max_label == 10


def test_flat_names_hold_index_and_label(tmp_path):
    source = open_source(put(tmp_path, "00042_7.png", "00003_1.png", "1234567_12.png"))
    assert summary(source) == [
        (3, 1, "00003_1.png"),
        (42, 7, "00042_7.png"),
        (1234567, 12, "1234567_12.png"),
    ]
    assert source.max_label == 12 and source.num_classes is None


def test_photos_of_a_phone_are_not_taken_for_labels(tmp_path):
    source = open_source(put(tmp_path, "20240131_123456.jpg", "IMG_7.png"))
    assert labels(source) == [(-1, "20240131_123456.png"), (-1, "IMG_7.png")]
    assert not source.labelled and source.max_label == -1
    files = {"20240131_123456.png": "20240131_123456.jpg", "IMG_7.png": "IMG_7.png"}
    assert source.files == tuple(
        str(tmp_path / files[name]) for _, _, name in summary(source)
    )


def test_hidden_and_other_files_are_passed_over(tmp_path):
    spec = put(tmp_path, "a.png", ".b.png", ".trash/c.png")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    assert labels(open_source(spec)) == [(-1, "a.png")]


def test_sizes_that_differ_are_known_from_the_headers(tmp_path):
    put(tmp_path, "a.png", "b.png")
    put(tmp_path, "c.png", shape=(4, 5, 1))
    source = open_source(f"folder:{tmp_path}")
    assert source.image_shape is None
    shapes = {r.name: source.shape_of(i) for i, r in enumerate(read_all(source))}
    assert shapes == {"a.png": (4, 5, 3), "b.png": (4, 5, 3), "c.png": (4, 5, 1)}
    with pytest.raises(
        InputError, match=r"c\.png is 4x5 with 1 channel but .*4x5 with 3"
    ):
        check_compatible(source, image_shape=(4, 5, 3), num_classes=2)


def test_an_unreadable_image_does_not_spoil_the_rest(tmp_path):
    spec = put(tmp_path, "a.png", "b.png", "c.png")
    (tmp_path / "b.png").write_bytes(b"broken")
    source = open_source(spec)
    broken = source.files.index(str(tmp_path / "b.png"))
    assert source.image_shape == (4, 5, 3) and source.shape_of(broken) is None
    check_compatible(source, image_shape=(4, 5, 3), num_classes=2)
    with pytest.raises(InputError, match=r"b\.png"):
        source.read(broken)
    others = {source.read(i).name for i in range(3) if i != broken}
    assert others == {"a.png", "c.png"}


def test_opening_reads_headers_only(tmp_path):
    path = tmp_path / "a.png"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    write_png(path, noise)
    path.write_bytes(path.read_bytes()[:2000])  # the pixels are gone
    source = open_source(f"folder:{tmp_path}")
    assert source.image_shape == (64, 64, 3)
    with pytest.raises(InputError, match=r"a\.png"):
        source.read(0)


def empty(root):
    root.mkdir()
    return "no images in"


def absent(root):
    return "does not exist"


def file(root):
    root.write_text("x")
    return "is a file"


def loose_and_classes(root):
    put(root, "a.png", "cat/b.png")
    return r"a\.png\) as well as folders"


def flat_and_photos(root):
    put(root, "00042_7.png", "tom.png")
    return r"00042_7\.png is named INDEX_LABEL but tom\.png is not"


def same_index(root):
    put(root, "00042_7.png", "00042_8.png")
    return "same index"


def same_output(root):
    put(root, "tom.jpg", "tom.png")
    return r"tom\.jpg and .*tom\.png would both be written as tom\.png"


def same_output_in_class(root):
    put(root, "cat/tom.jpg", "cat/tom.png")
    return r"would both be written as cat/tom\.png"


@pytest.mark.parametrize(
    "make",
    [
        empty,
        absent,
        file,
        loose_and_classes,
        flat_and_photos,
        same_index,
        same_output,
        same_output_in_class,
    ],
)
def test_what_cannot_be_a_source_is_refused_in_one_line(tmp_path, make):
    message = make(tmp_path / "in")
    with pytest.raises(InputError, match=message) as caught:
        open_source(f"folder:{tmp_path / 'in'}")
    assert "\n" not in str(caught.value)


def test_linked_images_of_class_folders_are_followed(tmp_path):
    put(tmp_path, "store/a.png")
    (tmp_path / "in" / "cat").mkdir(parents=True)
    os.symlink(tmp_path / "store" / "a.png", tmp_path / "in" / "cat" / "a.png")
    assert labels(open_source(f"folder:{tmp_path / 'in'}")) == [(0, "cat/a.png")]


@pytest.mark.parametrize("prefix", ["", "cat/"])
def test_an_added_image_shifts_no_other(tmp_path, prefix):
    names = [f"{prefix}{letter}.png" for letter in "bcd"]
    spec = put(tmp_path, *names)
    before = set(summary(open_source(spec)))
    put(tmp_path, f"{prefix}a.png", f"{prefix}bb.png")
    after = set(summary(open_source(spec)))
    assert before < after and len(after) == 5


def test_the_place_of_the_folder_is_no_part_of_the_index(tmp_path):
    put(tmp_path / "one", "a.png", "b.png")
    put(tmp_path / "two", "a.png", "b.png")
    one, two = (open_source(f"folder:{tmp_path / name}") for name in ("one", "two"))
    assert summary(one) == summary(two)


def test_a_limit_takes_the_first_names(tmp_path):
    letters = "hgfedcba"
    spec = put(tmp_path, *(f"{letter}.png" for letter in letters))
    for limit in (1, 3, 8, 99):
        found = [name for _, name in labels(open_source(spec, limit=limit))]
        assert found == [f"{letter}.png" for letter in sorted(letters)[:limit]]


def test_what_lies_beyond_the_limit_changes_nothing(tmp_path):
    spec = put(tmp_path, "a.png", "b.png", "c.png")
    before = open_source(spec, limit=2)
    put(tmp_path, "bb.png", "d.png")
    after = open_source(spec, limit=2)
    assert summary(before) == summary(after)
    assert before.fingerprint == after.fingerprint
    assert open_source(spec, limit=3).fingerprint != before.fingerprint
