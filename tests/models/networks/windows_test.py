"""Windows of a map: round trips, offsets, and which places are neighbors."""

import jax.numpy as jnp
import numpy as np

from mspd_jax.models.networks._windows import (
    join_windows,
    region_mask,
    relative_positions,
    split_windows,
    window_and_shift,
)


def test_windows_are_cut_row_by_row_and_joined_again():
    x = jnp.arange(2 * 6 * 6 * 2.0).reshape(2, 6, 6, 2)
    windows = split_windows(x, (2, 3))
    assert windows.shape == (2, 6, 2, 3, 2)
    np.testing.assert_array_equal(windows[1, 3], x[1, 2:4, 3:6])
    np.testing.assert_array_equal(join_windows(windows, x.shape), x)


def test_no_window_is_larger_than_the_map_and_none_that_spans_it_is_shifted():
    assert window_and_shift((14, 14), 7, True) == ((7, 7), (3, 3))
    assert window_and_shift((14, 14), 7, False) == ((7, 7), (0, 0))
    assert window_and_shift((7, 8), 7, True) == ((7, 7), (0, 3))
    assert window_and_shift((4, 14), 7, True) == ((4, 7), (0, 3))


def test_pairs_of_one_offset_have_one_number():
    count, index = relative_positions(2, 3)
    assert count == 15 and set(index.ravel()) == set(range(15))
    places = [(row, column) for row in range(2) for column in range(3)]
    numbers = {}
    for i, (row, column) in enumerate(places):
        for j, (other_row, other_column) in enumerate(places):
            offset = (row - other_row, column - other_column)
            assert numbers.setdefault(offset, index[i, j]) == index[i, j]
    assert len(numbers) == 15


def test_places_are_neighbors_unless_the_shift_brought_them_together():
    size, window, shift = (6, 9), (3, 3), (1, 1)
    rows, columns = np.indices(size)
    # Where each place of the rolled map came from.
    origin = np.stack([(rows + 1) % 6, (columns + 1) % 9], axis=-1)
    places = np.asarray(split_windows(jnp.asarray(origin), window))
    places = places.reshape(6, 9, 2)
    near = np.abs(places[:, :, None] - places[:, None]).max(-1) < 3
    mask = region_mask(size, window, shift)
    assert mask.shape == (6, 1, 9, 9)
    np.testing.assert_array_equal(mask[:, 0], np.where(near, 0.0, -100.0))
