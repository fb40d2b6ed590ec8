"""Expectation over transformation (Athalye et al. 2018, arXiv 1707.07397).

A randomized model is a `predict` with typed PRNG keys (`jax.random.key`) among its
leaves: it is a pure function, and other keys make another draw of it. One draw is
easily fooled and shows nothing; an attack has to fool the average.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.tree_util import Partial

from mspd_jax.attacks._checks import check_count
from mspd_jax.attacks._fixed import fixed
from mspd_jax.models import as_pytree


def is_random(predict: Callable) -> bool:
    """Whether a callable pytree holds PRNG keys, that is, whether it is randomized."""
    return any(map(_is_key, jax.tree.leaves(predict)))


def reseed(predict: Callable, data: int | jax.Array) -> Callable:
    """Another draw of a randomized model: `data` folded into each of its keys.

    data: an integer, traced, or a PRNG key, all of whose bits count.
    """
    words = [data]
    if _is_key(data):
        words = list(jax.random.key_data(data).reshape(-1))

    def fold(key):
        for word in words:
            key = jax.random.fold_in(key, word)
        return key

    def renew(leaf):
        if not _is_key(leaf):
            return leaf
        return jax.vmap(fold)(leaf.reshape(-1)).reshape(leaf.shape)

    return jax.tree.map(renew, predict)


def eot(predict: Callable, *, draws: int, chunk: int = 1) -> Partial:
    """The mean of the logits over draws of a randomized model, gradient included.

        x -> 1/n sum_i predict_i(x),   predict_i = reseed(reseed(predict, hash(x)), i)

    The hash of the image's bits gives each point that an attack asks for fresh draws,
    as a deployed model would, while the result stays a pure function of the image. (A
    fixed set of draws would be one deterministic network, whose weak spots an attack
    finds and which the next draw does not have.) No gradient flows through the hash.

    Logits are averaged: a draw whose probabilities have saturated still has its
    gradient, and class and margin are those of the geometric mean of the draws'
    probabilities. Deviation: AutoAttack averages the gradients of the loss instead,
    which for a loss linear in the logits is the same.

    draws: static. chunk: static, how many draws are evaluated together; divides draws.
    Memory does not grow with draws: the backward pass predicts each chunk again, hence
    a gradient costs 2 * draws predictions and draws backward passes. A model that draws
    on the host by a callback is called `draws` times as well, but its gradient is then
    that of other draws than its value. A model without randomness keeps its values, up
    to rounding.
    """
    check_count("draws", draws)
    check_count("chunk", chunk)
    if draws % chunk:
        raise ValueError(f"chunk must divide draws = {draws}; got {chunk}")
    return Partial(fixed(_average, draws=draws, chunk=chunk), as_pytree(predict))


def draws_of(predict: Callable) -> int:
    """How many draws a model made by `eot` averages; 1 for any other."""
    function = getattr(predict, "func", None)
    is_average = getattr(function, "func", None) is _average
    if function is None or not is_average:
        return 1
    return function.keywords["draws"]


def _average(predict, image, *, draws, chunk):
    predict = reseed(predict, _image_hash(image))

    def one(number, x):
        # Ties the image to the draw, always true: a model that draws on the host would
        # otherwise be moved out of the loop, being the same computation in each turn.
        # (An optimization barrier does not last: the compiler drops it first.)
        x = jnp.where(number >= 0, x, 0.0)
        return reseed(predict, number)(x)

    @functools.partial(jax.checkpoint, prevent_cse=False)
    def add(total, numbers):
        if chunk == 1:
            return total + one(numbers[0], image), None
        logits = jax.vmap(one, in_axes=(0, None))(numbers, image)
        return total + jnp.sum(logits, axis=0), None

    shape = jax.eval_shape(predict, image)
    numbers = jnp.arange(draws).reshape(-1, chunk)
    total, _ = lax.scan(add, jnp.zeros(shape.shape, shape.dtype), numbers)
    return total / draws


def _image_hash(image):
    """32 bits of the bits of an image, and of where they stand."""
    bits = lax.bitcast_convert_type(
        lax.stop_gradient(image).astype(jnp.float32), jnp.uint32
    ).reshape(-1)
    place = lax.iota(jnp.uint32, bits.size)
    return jnp.sum(_mix(bits ^ _mix(place)), dtype=jnp.uint32)


def _mix(word):
    """A bijection of 32 bits in which each bit of the input moves half of the output.

    The finalizer of MurmurHash3 (public domain).
    """
    word = (word ^ (word >> 16)) * np.uint32(0x85EBCA6B)
    word = (word ^ (word >> 13)) * np.uint32(0xC2B2AE35)
    return word ^ (word >> 16)


def _is_key(leaf):
    return isinstance(leaf, jax.Array) and jnp.issubdtype(
        leaf.dtype, jax.dtypes.prng_key
    )
