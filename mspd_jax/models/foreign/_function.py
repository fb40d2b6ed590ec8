"""What all foreign networks share: an image in, normalization, logits out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from mspd_jax.errors import InputError

Shape = tuple[int, int, int]


def image_function(
    network: Callable,
    weights: Mapping[str, Any],
    what: str,
    *,
    fingerprint: str,
    shape: Shape | None,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
) -> Partial:
    """`network(weights, x [1, C, H, W]) -> [1, K]` as a `predict` of images [H, W, C].

    what: names the network in errors. fingerprint: says which network it is, apart from
    its weights. shape: of the images it accepts, None for any.
    """
    if (mean is None) != (std is None):
        raise InputError("`mean` and `std` go together: give both, or neither")
    arrays = {name: jnp.asarray(value) for name, value in weights.items()}
    moments: tuple[jax.Array, ...] = ()
    if mean is not None and std is not None:
        _check_moments(mean, std, shape)
        moments = tuple(jnp.asarray(m, jnp.float32) for m in (mean, std))

    def predict(weights, moments, image):
        if image.ndim != 3 or shape not in (None, image.shape):
            reads = "[H, W, C]" if shape is None else "x".join(map(str, shape))
            raise InputError(
                f"an image of shape {image.shape} for {what}, which reads {reads}"
            )
        x = jnp.asarray(image, jnp.float32).transpose(2, 0, 1)
        if moments:
            mean, std = (m.reshape(-1, 1, 1) for m in moments)
            if mean.shape[0] != x.shape[0]:
                raise InputError(
                    f"`mean` of {mean.shape[0]} channels for an image of {x.shape[0]}"
                )
            x = (x - mean) / std
        return network(weights, x[None])[0].astype(jnp.float32)

    vars(predict)["fingerprint"] = fingerprint  # for hashes of the function
    return Partial(predict, arrays, moments)


def _check_moments(mean: Sequence[float], std: Sequence[float], shape: Shape | None):
    channels = {len(mean), len(std)} | ({shape[2]} if shape else set())
    if len(channels) > 1:
        raise InputError(
            f"`mean` {tuple(mean)} and `std` {tuple(std)} need one value for each "
            "channel of the image"
        )
    if not all(0 < s <= 1 for s in std) or max(map(abs, mean), default=0) > 1:
        raise InputError(
            f"`mean` {tuple(mean)} and `std` {tuple(std)} are not those of pixels in "
            "[0, 1]: divide both by 255"
        )
