"""Windows of a map, shifted or not: cutting, joining, and who is whose neighbor."""

import jax
import jax.numpy as jnp
import numpy as np

Sides = tuple[int, int]
_APART = -100.0  # added to the score of two places that are no neighbors


def window_and_shift(
    map_size: Sides, window: int, shifted: bool
) -> tuple[Sides, Sides]:
    """Sides of a window, and by how much it is shifted, along rows and columns.

    No window is larger than the map, and one that spans it is not shifted.
    """
    sides = tuple(min(window, size) for size in map_size)
    shifts = tuple(window // 2 * (shifted and size > window) for size in map_size)
    return (sides[0], sides[1]), (shifts[0], shifts[1])


def split_windows(x: jax.Array, window: Sides) -> jax.Array:
    """[..., H, W, C] -> [..., windows, h, w, C], where (h, w) divides (H, W)."""
    *front, height, width, channels = x.shape
    rows, columns = height // window[0], width // window[1]
    x = jnp.reshape(x, (*front, rows, window[0], columns, window[1], channels))
    return jnp.reshape(jnp.swapaxes(x, -3, -4), (*front, -1, *window, channels))


def join_windows(windows: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """The inverse of `split_windows`: `shape` is that of the whole map."""
    *front, height, width, channels = shape
    rows, columns = windows.shape[-3:-1]
    grid = (*front, height // rows, width // columns, rows, columns, channels)
    return jnp.reshape(jnp.swapaxes(jnp.reshape(windows, grid), -3, -4), shape)


def relative_positions(rows: int, columns: int) -> tuple[int, np.ndarray]:
    """How many offsets two places of a window can have, and each pair's number.

    The second is [N, N], of query and key, for N = rows * columns places.
    """
    row, column = (axis.ravel() for axis in np.indices((rows, columns)))
    down = row[:, None] - row[None] + rows - 1
    right = column[:, None] - column[None] + columns - 1
    width = 2 * columns - 1
    return (2 * rows - 1) * width, down * width + right


def region_mask(map_size: Sides, window: Sides, shift: Sides) -> np.ndarray:
    """-100 where a window joins what the shift brought together, else 0.

    [windows, 1, N, N], for the windows of a map that was rolled by `shift`.
    """
    down, right = (
        _regions(*axis) for axis in zip(map_size, window, shift, strict=True)
    )
    regions = np.asarray(down[:, None] * 3 + right[None])
    rows, columns = map_size[0] // window[0], map_size[1] // window[1]
    regions = regions.reshape(rows, window[0], columns, window[1]).swapaxes(1, 2)
    regions = regions.reshape(rows * columns, 1, -1)
    return np.where(regions[..., None] == regions[..., None, :], 0.0, _APART)


def _regions(size, window, shift):
    """0 before the last window; 1, and 2 for what came from the other end, in it."""
    place = np.arange(size)
    if not shift:
        return np.zeros(size, int)
    return (place >= size - window).astype(int) + (place >= size - shift)
