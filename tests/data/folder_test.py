"""Folders as users and other programs leave them."""

import os

import numpy as np
import pytest
from PIL import Image

from mspd_jax.data import check_compatible, open_source, write_png
from mspd_jax.errors import InputError


def put(root, *names, shape=(4, 5, 3)):
    for number, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        levels = np.full(shape, number + 1, np.uint8)
        Image.fromarray(levels if shape[-1] == 3 else levels[..., 0]).save(path)
    return f"folder:{root}"


def summary(source):
    records = [source.read(i) for i in range(len(source.indices))]
    return [(r.index, r.label, r.name) for r in records]


def test_class_folders(tmp_path):
    spec = put(tmp_path, "dog/z.png", "cat/tom.JPG", "cat/deep/er.bmp")
    (tmp_path / "fish").mkdir()  # a class without images is still a class
    source = open_source(spec)
    assert summary(source) == [
        (0, 0, "cat/deep/er.png"),
        (1, 0, "cat/tom.png"),
        (2, 1, "dog/z.png"),
    ]
    assert source.class_names == ("cat", "dog", "fish") and source.num_classes == 3
    assert source.max_label == 1 and source.labelled
    assert source.image_shape == (4, 5, 3)


def test_class_folders_named_by_integers_keep_them(tmp_path):
    source = open_source(put(tmp_path, "10/a.png", "2/b.png"))
    assert summary(source) == [(0, 10, "10/a.png"), (1, 2, "2/b.png")]
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
    assert summary(source) == [(0, -1, "20240131_123456.png"), (1, -1, "IMG_7.png")]
    assert not source.labelled and source.max_label == -1
    assert source.files == tuple(
        str(tmp_path / name) for name in ("20240131_123456.jpg", "IMG_7.png")
    )


def test_hidden_and_other_files_are_passed_over(tmp_path):
    spec = put(tmp_path, "a.png", ".b.png", ".trash/c.png")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    assert summary(open_source(spec)) == [(0, -1, "a.png")]


def test_sizes_that_differ_are_known_from_the_headers(tmp_path):
    put(tmp_path, "a.png", "b.png")
    put(tmp_path, "c.png", shape=(4, 5, 1))
    source = open_source(f"folder:{tmp_path}")
    assert source.image_shape is None
    assert [source.shape_of(i) for i in range(3)] == [(4, 5, 3), (4, 5, 3), (4, 5, 1)]
    with pytest.raises(
        InputError, match=r"c\.png is 4x5 with 1 channel but .*4x5 with 3"
    ):
        check_compatible(source, image_shape=(4, 5, 3), num_classes=2)


def test_an_unreadable_image_does_not_spoil_the_rest(tmp_path):
    spec = put(tmp_path, "a.png", "b.png", "c.png")
    (tmp_path / "b.png").write_bytes(b"broken")
    source = open_source(spec)
    assert source.image_shape == (4, 5, 3) and source.shape_of(1) is None
    check_compatible(source, image_shape=(4, 5, 3), num_classes=2)
    with pytest.raises(InputError, match=r"b\.png"):
        source.read(1)
    assert source.read(2).index == 2


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
    assert summary(open_source(f"folder:{tmp_path / 'in'}")) == [(0, 0, "cat/a.png")]
