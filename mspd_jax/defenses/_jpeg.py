"""Compression as JPEG in pure JAX, with a gradient."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from mspd_jax.defenses._checks import check_integer, check_jpeg_image
from mspd_jax.defenses._jpeg_tables import (
    CENTER,
    TO_RGB,
    TO_YCC,
    cosines,
    quantization_table,
)

ROUNDINGS = ("cubic", "hard", "identity")


def jpeg_soft(
    image: jax.Array, *, quality: int, rounding: str = "cubic", subsample: bool = True
) -> jax.Array:
    """JPEG compression as a function that can be differentiated (Shin and Song 2017).

        x -> YCbCr -> chroma halved -> DCT of blocks / table -> r -> all of it back

    r replaces the rounding of the coefficients, by `rounding`:
        cubic       round(c) + (c - round(c))^3, of gradient 3 (c - round(c))^2, which
                    is zero where c is whole, such as for all the zeros of a flat block
        hard        round(c), of gradient zero
        identity    round(c), its gradient replaced by 1
    "hard" and "identity" round wherever a codec works with whole numbers, so that their
    values are those of `jpeg` but for a coefficient on the edge here and there; "cubic"
    rounds nothing else. The input is not rounded to 8 bits. Gradient flows through all
    but roundings; outputs outside [0, 1] are clipped.

    image: [H, W, 3] or, as gray, [H, W, 1]; any size. quality: 1 to 100, static, scales
    the tables by the rule of libjpeg. subsample: static, 4:2:0 or, if not, 4:4:4.
    NIPS 2017 workshop on machine learning and computer security, "JPEG-resistant
    adversarial images"; arXiv 2309.06978 compares such approximations.

    Deviation: usual reimplementations leave the tables unrounded and the decoded planes
    unclipped, and repeat pixels of chroma. Tables, clips, padding, halving (2x2 means)
    and doubling (triangular) are libjpeg's here, so that only rounding is replaced.
    """
    quality = check_integer("quality", quality, least=1, most=100)
    if rounding not in ROUNDINGS:
        raise ValueError(
            f"rounding must be one of {', '.join(ROUNDINGS)}; got {rounding!r}"
        )
    check_jpeg_image(image)
    planes = 255.0 * jnp.moveaxis(image, -1, 0)
    luma, chroma = quantization_table(quality), quantization_table(quality, chroma=True)
    if image.shape[-1] == 1:
        levels = _coded(planes, luma, rounding)
    else:
        planes = _whole(_product("yc,chw->yhw", TO_YCC, planes) + CENTER, rounding)
        code = _coded_at_half if subsample else _coded
        planes = jnp.concatenate(
            [_coded(planes[:1], luma, rounding), code(planes[1:], chroma, rounding)]
        )
        levels = _whole(_product("cy,yhw->chw", TO_RGB, planes - CENTER), rounding)
    return jnp.moveaxis(_clipped(levels) / 255.0, 0, -1)


def _coded(planes, table, rounding):
    """What planes [P, H, W] of levels are once coded and decoded."""
    count, height, width = planes.shape
    padded = jnp.pad(planes, ((0, 0), (0, -height % 8), (0, -width % 8)), mode="edge")
    rows, columns = padded.shape[1] // 8, padded.shape[2] // 8
    blocks = padded.reshape(count, rows, 8, columns, 8) - 128.0
    table, basis = table[None, None, :, None, :], cosines()
    coefficients = _product("ui,paibj,vj->paubv", basis, blocks, basis)
    # libjpeg's integer transform keeps three binary places: ties are common.
    coefficients = _whole(8.0 * coefficients, rounding) / 8.0
    kept = _rounded(coefficients / table, rounding) * table
    blocks = _whole(_product("ui,paubv,vj->paibj", basis, kept, basis), rounding)
    levels = _clipped(blocks + 128.0).reshape(padded.shape)
    return levels[:, :height, :width]


def _coded_at_half(planes, table, rounding):
    """The same with half as many rows and columns in between."""
    _, height, width = planes.shape
    # libjpeg pads columns to whole blocks before it halves them, rows thereafter.
    padding = ((0, 0), (0, height % 2), (0, -width % 16))
    padded = jnp.pad(planes, padding, mode="edge")
    count, rows, columns = padded.shape
    means = padded.reshape(count, rows // 2, 2, columns // 2, 2).mean(axis=(2, 4))
    if rounding != "cubic":
        # Ties go down and up by turns, so that means do not drift.
        means = means - np.resize(np.float32([0.25, 0.0]), (1, 1, columns // 2))
    means = _coded(_whole(means, rounding), table, rounding)
    half = (width + 1) // 2
    # libjpeg repeats pixels where so few are left.
    doubled = [_doubling(side, triangular=half > 2) for side in (height, width)]
    levels = _product("oi,pij,qj->poq", doubled[0], means[:, :, :half], doubled[1])
    return _whole(levels, rounding)


def _doubling(side, *, triangular):
    """[side, ceil(side / 2)]: 3/4 of a pixel and 1/4 of the nearer of its neighbors."""
    half = (side + 1) // 2
    place = np.arange(side)
    nearer = np.clip(place // 2 + np.where(place % 2, 1, -1), 0, half - 1)
    weight = 0.75 if triangular else 1.0
    matrix = np.zeros((side, half), np.float32)
    np.add.at(matrix, (place, place // 2), weight)
    np.add.at(matrix, (place, nearer), 1.0 - weight)
    return matrix


def _rounded(x, rounding):
    # As codecs do, away from zero in ties; the margin keeps float32 from breaking them.
    whole = jnp.sign(x) * jnp.floor(jnp.abs(x) + 0.5001)
    whole = lax.stop_gradient(whole)
    if rounding == "hard":
        return whole
    gap = x - whole
    return whole + gap**3 if rounding == "cubic" else x - lax.stop_gradient(gap)


def _whole(x, rounding):
    """Rounded where a codec rounds, and a smooth function does not."""
    return x if rounding == "cubic" else _rounded(x, rounding)


def _clipped(levels):
    # Not `clip`, whose gradient is halved at 0 and 255 themselves: black and white.
    return jnp.where(levels < 0.0, 0.0, jnp.where(levels > 255.0, 255.0, levels))


def _product(subscripts, *operands):
    # Default precision on GPUs keeps 10 bits, which is an error of whole levels.
    return jnp.einsum(subscripts, *operands, precision=lax.Precision.HIGHEST)
