"""Whether a model fits a source, whether images changed, and sources as arrays."""

import os

import numpy as np
import pytest

from mspd_jax.data import (
    Record,
    Source,
    check_compatible,
    check_unchanged,
    load_arrays,
    open_source,
    write_png,
)
from mspd_jax.errors import InputError


def source_of(images, labels, **change):
    def read(position):
        if images[position] is None:
            raise InputError(f"cannot read image {position}")
        return Record(position, images[position], labels[position], f"{position}.png")

    source = Source(
        spec="a:b",
        indices=np.arange(10, 10 + len(images)),
        image_shape=None,
        num_classes=None,
        max_label=max(labels),
        class_names=None,
        labelled=True,
        read=read,
    )
    return source._replace(**change)


def level(value, shape=(2, 2, 1)):
    return np.full(shape, value, np.float32) / np.float32(255)


SAME = source_of([level(0), level(7)], [0, 4], image_shape=(2, 2, 1))
UNKNOWN = source_of([level(0), None, level(7, (2, 3, 1))], [0, 1, 4])


def test_a_model_that_fits_is_let_through():
    check_compatible(SAME, image_shape=(2, 2, 1), num_classes=5)
    check_compatible(SAME, image_shape=[2, 2, 1], num_classes=100)  # not known exactly
    exact = SAME._replace(num_classes=5)
    check_compatible(exact, image_shape=(2, 2, 1), num_classes=5)


@pytest.mark.parametrize(
    "source, shape, classes, message",
    [
        (SAME, (2, 2, 3), 5, "image 10 is 2x2 with 1 channel but the model reads 2x2"),
        (SAME, (2, 2, 3), 5, "another model$"),
        (SAME, (4, 3, 1), 5, "or resize them: resize4x3-bicubic:a:b$"),
        (SAME, (2, 2, 1), 4, r"labels up to 4 but the model has 4 classes \(0 to 3\)"),
        (
            SAME._replace(num_classes=5),
            (2, 2, 1),
            6,
            "has 5 classes but the model has 6",
        ),
        (UNKNOWN, (2, 2, 1), 5, "image 12 is 2x3 with 1 channel"),
        (
            UNKNOWN._replace(files=("p/a", "p/b", "p/c")),
            (2, 2, 1),
            5,
            "p/c is 2x3 with 1 channel",
        ),
    ],
)
def test_the_reason_why_a_model_does_not_fit_is_named(source, shape, classes, message):
    with pytest.raises(InputError, match=message):
        check_compatible(source, image_shape=shape, num_classes=classes)


def test_arrays_are_bytes_only_if_all_images_are():
    every = [level(v) for v in range(256)]
    images, labels = load_arrays(source_of(every, [1] * 256))
    assert images.dtype == np.uint8 and labels.dtype == np.int32
    np.testing.assert_array_equal(images[:, 0, 0, 0], np.arange(256))
    between = every[:3] + [level(3.5)] + every[4:6]
    images, _ = load_arrays(source_of(between, [1] * 6))
    assert images.dtype == np.float32
    np.testing.assert_array_equal(images, np.stack(between))


def test_arrays_of_a_source_with_gaps_are_refused():
    with pytest.raises(InputError, match="image 12 is 2x3 .* training needs one size"):
        load_arrays(source_of([level(0), level(1), level(7, (2, 3, 1))], [0, 1, 4]))
    with pytest.raises(InputError, match="cannot read image 1"):
        load_arrays(UNKNOWN)


def photos(folder, *names, value=0):
    for name in names:
        write_png(folder / name, np.full((2, 2, 1), value, np.uint8))
    return open_source(f"folder:{folder}")


def unchanged(source, done):
    return check_unchanged(source, np.array(list(done)), done.values())


def digests_of(source):
    return {int(i): source.digest_of(place) for place, i in enumerate(source.indices)}


def test_added_and_removed_images_are_no_change(tmp_path):
    source = photos(tmp_path, "a.png", "b.png")
    done = digests_of(source)
    assert unchanged(source, done) == []
    assert unchanged(photos(tmp_path, "0.png", "c.png"), done) == []
    gone = int(source.indices[source.files.index(str(tmp_path / "a.png"))])
    (tmp_path / "a.png").unlink()
    assert unchanged(open_source(source.spec), done) == [gone]


def test_a_replaced_image_is_named_in_one_line(tmp_path):
    source = photos(tmp_path, "a.png", "b.png")
    done = digests_of(source)
    before = (tmp_path / "b.png").stat()
    photos(tmp_path, "b.png", value=1)
    os.utime(tmp_path / "b.png", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (tmp_path / "b.png").stat().st_size == before.st_size
    with pytest.raises(InputError, match=r"b\.png has another content") as caught:
        unchanged(source, done)
    assert "\n" not in str(caught.value)
    unchanged(source, dict.fromkeys(done))  # nothing was recorded
    (tmp_path / "b.png").unlink()
    with pytest.raises(InputError, match=r"b\.png cannot be read"):
        unchanged(source, done)


def test_a_class_that_shifts_the_labels_is_a_change(tmp_path):
    source = photos(tmp_path, "cat/a.png")
    done = digests_of(source)
    photos(tmp_path, "dog/b.png")
    assert unchanged(open_source(source.spec), done) == []
    photos(tmp_path, "ant/c.png")
    with pytest.raises(InputError, match=r"cat/a\.png has another content or label"):
        unchanged(open_source(source.spec), done)
