"""MixedNUTS (Bai et al. 2024, arXiv 2402.02263): an accurate and a robust classifier.

What each of them is sure of is changed before they are mixed, without any training.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jax.tree_util import Partial

from mspd_jax.errors import InputError
from mspd_jax.models._callable import as_pytree

_TOP = 250  # logits that the normalization looks at
# Of the robust classifier's part in the gradient: as it is, and as it is mapped.
_RAW = 0.9


def mixed_nuts(
    accurate: Callable,
    robust: Callable,
    *,
    scale: float,
    power: float,
    shift: float,
    weight: float,
    gradient_weight: float,
) -> Partial:
    """A classifier that mixes the classes of one with the probabilities of another.

        log((1 - weight) onehot(argmax accurate(x)) + weight softmax(z)),
        z = scale c^power,  c = gelu(normalized(robust(x)) + shift),

    where the logits are normalized by mean and standard deviation of the 250 largest.
    Values are these exactly; a gradient of them would be none of the accurate one. The
    gradient is therefore that of the mix which its authors' adaptive attack takes, in
    which the accurate classifier has its own probabilities and the robust one nine
    tenths of its own: finite differences tell another slope, on purpose.

    Args:
      accurate, robust: [H, W, C] -> [K], callable pytrees or functions.
      scale, power, shift: s, p and c of the paper. weight: its alpha, of the robust.
      gradient_weight: alpha in the gradient.

    Returns:
      image [H, W, C] -> logits [K], a callable pytree.

    Example:
      predict = models.mixed_nuts(
          accurate, robust, scale=5.0, power=4.0, shift=-1.1, weight=0.99875,
          gradient_weight=0.95705,
      )  # as published for CIFAR-10
    """
    for name, value in {"weight": weight, "gradient_weight": gradient_weight}.items():
        if not 0 < value < 1:
            raise InputError(f"`{name}`={value}: wanted a number between 0 and 1")
    constants = (scale, power, shift, weight, gradient_weight)
    mix = _function_of(*map(float, constants))
    return Partial(mix, as_pytree(accurate), as_pytree(robust))


@functools.cache
def _function_of(scale, power, shift, weight, gradient_weight) -> Callable:
    """The mix of these constants; one function for each, for `jit`."""

    def mixed(accurate, robust, image):
        sure, careful = accurate(image), robust(image)
        hard = jax.nn.one_hot(jnp.argmax(sure), sure.shape[0], dtype=sure.dtype)
        mapped = jax.nn.softmax(scaled(careful))
        value = jnp.log((1 - weight) * hard + weight * mapped)
        part = gradient_weight * (1 - _RAW)
        smooth = jnp.log(
            (1 - gradient_weight) * jax.nn.softmax(sure)
            + gradient_weight * _RAW * jax.nn.softmax(careful)
            + part * mapped
        )
        return smooth + lax.stop_gradient(value - smooth)

    def scaled(logits):
        top = lax.top_k(logits, min(_TOP, logits.shape[0]))[0]
        spread = jnp.sqrt(jnp.var(top, ddof=1) + 1e-8)
        clamped = jax.nn.gelu((logits - jnp.mean(top)) / spread + shift, False)
        return scale * jnp.sign(clamped) * jnp.abs(clamped) ** power

    return mixed
