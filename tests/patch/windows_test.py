"""Windows against loops over pixels: what they cover, hide, and draw."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mspd_jax import models, patch
from mspd_jax.errors import InputError
from mspd_jax.patch._windows import meets


def check_axis(starts, size, *, length, side, most):
    """Every place of a patch along an axis lies in a window, and windows are inside."""
    starts = np.asarray(starts)
    assert starts[0] == 0 and starts[-1] + size == length  # the last one is flush
    assert (np.diff(starts) > 0).all()
    assert len(starts) <= most
    place = np.arange(length - side + 1)
    # Of windows of one size, the last that begins no later reaches furthest.
    window = starts[np.searchsorted(starts, place, side="right") - 1]
    assert (window <= place).all() and (place + side <= window + size).all()


@pytest.mark.parametrize(
    "length, counts", [(32, range(1, 33)), (224, (1, 2, 3, 4, 6, 7, 10, 25, 100, 224))]
)
def test_every_place_of_every_patch_lies_in_a_window(length, counts):
    for side in range(1, length + 1):
        for count in (None, *counts):
            windows = patch.cover((length, length, 3), patch=side, per_axis=count)
            assert (windows.rows, windows.height) == (windows.cols, windows.width)
            most = length if count is None else count
            check_axis(
                windows.rows, windows.height, length=length, side=side, most=most
            )
            assert windows.patch == side
            if count is None:
                assert (windows.height, len(windows.rows)) == (side, length - side + 1)


@pytest.mark.parametrize("shape", [(9, 14, 1), (14, 9, 1)])
def test_every_square_of_a_rectangle_lies_in_a_window(shape):
    for side, count in itertools.product(range(1, 10), (None, 1, 2, 3, 4, 5, 14)):
        windows = patch.cover(shape, patch=side, per_axis=count)
        assert windows.count == len(windows.rows) * len(windows.cols)
        boxes = [
            (row, col, row + windows.height, col + windows.width)
            for row in windows.rows
            for col in windows.cols
        ]
        for top, left, bottom, right in boxes:
            assert 0 <= top < bottom <= shape[0] and 0 <= left < right <= shape[1]
        for row in range(shape[0] - side + 1):
            for col in range(shape[1] - side + 1):
                assert any(
                    top <= row
                    and left <= col
                    and row + side <= bottom
                    and col + side <= right
                    for top, left, bottom, right in boxes
                )


def test_windows_are_no_larger_than_so_few_need_to_be():
    """With one pixel less, as many windows along the axis leave a place out."""
    for length, side, count in itertools.product((8, 13), (1, 2, 5), (1, 2, 3, 4)):
        windows = patch.cover((length, length, 1), patch=side, per_axis=count)
        smaller = windows.height - 1
        held = max(smaller - side + 1, 0)  # places of a patch inside of one
        assert held * count < length - side + 1 or windows.height == side


@pytest.mark.parametrize(
    "side, count, word", [(0, None, "patch"), (10, None, "patch"), (2, 0, "windows")]
)
def test_windows_that_cannot_be_are_refused(side, count, word):
    with pytest.raises(InputError, match=word) as refusal:
        patch.cover((12, 9, 3), patch=side, per_axis=count)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "text, shape, side",
    [
        ("5", (32, 32, 3), 5),
        ("1", (8, 8, 1), 1),
        ("2.4%", (32, 32, 3), 5),  # 24.6 pixels
        ("0.4%", (32, 32, 3), 3),  # 4.1 pixels are more than 2 x 2
        ("0.390625%", (32, 32, 3), 2),  # 4 pixels
        ("100%", (32, 32, 3), 32),
        ("1%", (224, 224, 3), 23),  # 501.8 pixels
        ("2%", (224, 224, 3), 32),
        ("3%", (224, 224, 3), 39),
        ("25%", (10, 40, 1), 10),
        ("0.0001%", (32, 32, 3), 1),
    ],
)
def test_side_of_a_patch(text, shape, side):
    assert patch.patch_side(text, shape) == side
    if text.endswith("%"):
        pixels = float(text[:-1]) / 100 * shape[0] * shape[1]
        assert (side - 1) ** 2 < pixels <= side**2 + 1e-6


@pytest.mark.parametrize(
    "text", ["0", "-3", "2.5", "", "%", "x%", "five", "0%", "-1%", "101%", "nan%"]
)
def test_a_bad_side_is_refused(text):
    with pytest.raises(InputError, match=f"`patch`={text}") as refusal:
        patch.patch_side(text, (32, 32, 3))
    assert "\n" not in str(refusal.value)


# Strides, asymmetric fields, fields that look at nothing of their own pixel, and maps
# that do not reach the border or look beyond it.
FIELDS = [
    (models.PIXEL, 12),
    (models.Reach(1, -1, 1), 12),
    (models.Reach(2, -1, 2), 6),
    (models.Reach(4, -3, 7), 3),
    (models.Reach(2, 1, 3), 5),
    (models.Reach(3, -5, -2), 5),
    (models.Reach(1, 0, 4), 8),
]


def sees(field, place, pixels):
    """Whether a place reads any of some pixels, pixel by pixel."""
    read = range(
        field.stride * place + field.low, field.stride * place + field.high + 1
    )
    return any(pixel in pixels for pixel in read)


@pytest.mark.parametrize("number", range(len(FIELDS)))
@pytest.mark.parametrize("side, count", [(3, None), (2, 4)])
def test_what_windows_hide_of_a_map(number, side, count):
    """Of a rectangle, whose columns are read in another way than its rows."""
    (tall, height), (wide, width) = FIELDS[number], FIELDS[number - 1]
    windows = patch.cover((12, 12, 1), patch=side, per_axis=count)
    windows = windows._replace(cols=windows.cols[:-1] or windows.cols)
    hidden = patch.hidden_by(windows, (tall, wide), (height, width, 5))
    pixels = range(windows.height)
    rows = [
        [sees(tall, i, [start + p for p in pixels]) for i in range(height)]
        for start in windows.rows
    ]
    cols = [
        [sees(wide, i, [start + p for p in pixels]) for i in range(width)]
        for start in windows.cols
    ]
    np.testing.assert_array_equal(hidden.rows, rows)
    np.testing.assert_array_equal(hidden.cols, cols)
    boxes = [np.outer(row, col) for row in rows for col in cols]
    every = jax.jit(jax.vmap(patch.hides, in_axes=(None, 0)))
    np.testing.assert_array_equal(every(hidden, np.arange(len(boxes))), boxes)
    assert patch.most_hidden(hidden) == max(box.sum() for box in boxes)


def test_a_window_of_pixels_is_the_window():
    windows = patch.cover((7, 9, 1), patch=2, per_axis=3)
    hidden = patch.hidden_by(windows, (models.PIXEL, models.PIXEL), (7, 9, 1))
    row, col = windows.rows[1], windows.cols[-1]
    want = np.zeros((7, 9), bool)
    want[row : row + windows.height, col : col + windows.width] = True
    number = 2 * len(windows.cols) - 1
    np.testing.assert_array_equal(patch.hides(hidden, number), want)


def test_random_windows_of_a_drawn_size_are_at_all_places_of_it():
    """Of 6 pixels: 4 places of a window of 3, 3 of one of 4."""
    pixels = (models.PIXEL, models.PIXEL)
    keys = jax.random.split(jax.random.key(4), 6_000)
    draw = functools.partial(
        patch.random_window, reaches=pixels, map_shape=(6, 6), size=4, least=3
    )
    rows = jax.jit(jax.vmap(lambda key: draw(key, (6, 6, 1)).rows[0]))(keys)
    values, counts = np.unique(np.asarray(rows), axis=0, return_counts=True)
    found = {
        (int(v.argmax()), int(v.sum())): n for v, n in zip(values, counts, strict=True)
    }
    assert set(found) == {(p, 3) for p in range(4)} | {(p, 4) for p in range(3)}
    for (_, side), count in found.items():
        # Six standard deviations of a share of 6,000 are at most 174.
        assert abs(count - 3_000 / (7 - side)) < 174


@pytest.mark.parametrize("tall, height", FIELDS[:4:3])
def test_random_windows_are_all_places_and_no_others(tall, height):
    """5 x 7 places of a window of 4 in 8 x 10 pixels, 7,000 draws."""
    reaches, shape = (tall, models.Reach(1, -2, 1)), (height, 10)
    keys = jax.random.split(jax.random.key(3), 7_000)
    drawn = jax.jit(
        jax.vmap(
            lambda key: patch.random_window(key, (8, 10, 3), reaches, shape, size=4)
        )
    )(keys)
    for found, field, length, places in (
        (drawn.rows, tall, height, 5),
        (drawn.cols, reaches[1], 10, 7),
    ):
        assert found.shape == (7_000, 1, length)
        found = np.asarray(found[:, 0])
        want = np.asarray(
            [
                [sees(field, i, range(start, start + 4)) for i in range(length)]
                for start in range(places)
            ]
        )
        known, index = np.unique(want, axis=0, return_inverse=True)
        values, counts = np.unique(found, axis=0, return_counts=True)
        np.testing.assert_array_equal(values, known)
        # Six standard deviations of a share p of 7,000 are at most 251.
        np.testing.assert_allclose(
            counts, np.bincount(index.ravel()) * 7_000 / places, atol=251
        )
    pairs = np.concatenate([drawn.rows[:, 0], drawn.cols[:, 0]], axis=1)
    counts = np.unique(pairs, axis=0, return_counts=True)[1]
    if tall == models.PIXEL:
        assert len(counts) == 35  # rows and columns are drawn apart


def test_meets_takes_any_starts():
    starts = jnp.asarray([[[0], [3]], [[9], [20]]])
    found = meets(models.Reach(2, -1, 1), 6, starts, 3)
    assert found.shape == (2, 2, 6)
    for index in np.ndindex(2, 2):
        first = int(starts[(*index, 0)])
        want = [
            sees(models.Reach(2, -1, 1), i, range(first, first + 3)) for i in range(6)
        ]
        np.testing.assert_array_equal(found[index], want)
