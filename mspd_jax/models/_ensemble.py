"""Classifiers of any kind as one, whose probabilities are the mean of theirs."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from mspd_jax.errors import InputError
from mspd_jax.models._callable import as_pytree
from mspd_jax.models.networks import log_mean_probability


def ensemble(members: Sequence[Callable]) -> Partial:
    """The classifier that is the mean of its members' softmax probabilities.

        x -> log 1/n sum_i softmax(predict_i(x))

    Guarantee: softmax of these logits is the mean of the probabilities, which published
    ensembles give in the place of logits; so class and cross-entropy are those of the
    mean. Summed in the log domain: no underflow. Gradient flows through all members,
    and their leaves stay leaves.

    Args:
      members: [H, W, C] -> [K], callable pytrees or functions, of any architectures
        with the same classes. One checkpoint of members of one architecture is an
        `ensemble<n>_<architecture>`.

    Returns:
      image [H, W, C] -> logits [K], a callable pytree. InputError for members that give
      logits of other shapes.

    Example:
      predict = models.ensemble([models.predictor(model) for model in several])
    """
    if not members:
        raise InputError("an ensemble has one member or more, got none")
    return Partial(_mean, tuple(as_pytree(member) for member in members))


def _mean(members: tuple[Callable, ...], image: jax.Array) -> jax.Array:
    logits = [member(image) for member in members]
    shapes = list(dict.fromkeys(jnp.shape(each) for each in logits))
    if len(shapes) > 1 or len(shapes[0]) != 1:
        raise InputError(
            "the members of an ensemble give logits [K] of the same classes, got the "
            f"shapes {', '.join(map(str, shapes))}"
        )
    return log_mean_probability(jnp.stack(logits))
