"""What makes gradients transfer: random resizing, and smoothing by translations."""

import jax
import jax.numpy as jnp


def diversify(
    key: jax.Array,
    image: jax.Array,
    *,
    probability: float | jax.Array,
    resize: float | jax.Array,
) -> jax.Array:
    """Shrinks the image at random and puts it on black (Xie et al., 1803.06978).

    With `probability` the sides become whole numbers drawn uniformly from
    floor(resize * side)..side (both sides by one draw), interpolated linearly between
    pixel centers, and the rest is filled with zeros; else nothing happens.

    image: [H, W, C]; probability, resize: in [0, 1], traced. Returns [H, W, C], linear
    in the image, hence differentiable.

    Deviation: the paper enlarges from 299 to at most 330 pixels by nearest neighbor and
    feeds the larger image. A model of one input size cannot take that: as in common
    reimplementations the image shrinks instead, and linearly, so that each pixel has a
    gradient. The full size is among the draws.
    """
    applied, size, top, left = jax.random.uniform(key, (4,))
    rows = resampling(image.shape[0], size, top, resize=resize)
    columns = resampling(image.shape[1], size, left, resize=resize)
    # Matrices, since the size is traced: no gather, and a plain product backwards.
    resized = jnp.einsum("oi,pj,ijc->opc", rows, columns, image, precision="highest")
    return jnp.where(applied < probability, resized, image)


def resampling(side: int, size, place, *, resize) -> jax.Array:
    """The matrix that shrinks one side and pads it again: [side, side].

    size, place: in [0, 1), traced: which of the lengths floor(resize * side)..side, and
    which of the places where that fits. A row for each pixel of the result: its weights
    of the pixels of the original sum to 1 inside, and are zero in the padding.
    """
    least = jnp.floor(jnp.asarray(resize * side, jnp.float32))
    length = least + jnp.floor(size * (side - least + 1.0))
    length = jnp.clip(length, 1.0, side)
    start = jnp.floor(place * (side - length + 1.0))
    inside = jnp.arange(side, dtype=jnp.float32) - start
    source = (inside + 0.5) * side / length - 0.5
    source = jnp.clip(source, 0.0, side - 1.0)
    gap = source[:, None] - jnp.arange(side, dtype=jnp.float32)[None, :]
    weight = jnp.maximum(1.0 - jnp.abs(gap), 0.0)
    return jnp.where(((inside >= 0) & (inside < length))[:, None], weight, 0.0)


def smooth(gradient: jax.Array, *, kernel: int, sigmas: float | jax.Array) -> jax.Array:
    """The gradient convolved with a Gaussian, zero outside (Dong et al., 1904.02884).

        sum over shifts s of k(s) * (gradient shifted by s),  k proportional to
        exp(-|u(s)|^2 / 2), u from -sigmas to sigmas over `kernel` pixels, sum k = 1

    which to first order is the gradient averaged over shifted images. kernel: odd,
    static; sigmas: traced, standard deviations in half the kernel's width. gradient:
    [H, W, C]. Returns [H, W, C].
    """
    rows, columns = (
        _shifts(side, kernel=kernel, sigmas=sigmas) for side in gradient.shape[:2]
    )
    return jnp.einsum("oi,pj,ijc->opc", rows, columns, gradient)


def _shifts(side, *, kernel, sigmas):
    """Convolution of one side as a matrix [side, side]; the Gaussian is separable."""
    half = kernel // 2
    position = jnp.arange(-half, half + 1, dtype=jnp.float32) / max(half, 1)
    profile = jnp.exp(-0.5 * jnp.square(position * sigmas))
    profile = profile / jnp.sum(profile)
    shift = jnp.arange(side)[:, None] - jnp.arange(side)[None, :] + half
    weight = profile[jnp.clip(shift, 0, kernel - 1)]
    return jnp.where((shift >= 0) & (shift < kernel), weight, 0.0)
