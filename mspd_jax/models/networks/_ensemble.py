"""Networks of one architecture as one, whose probabilities are the mean of theirs."""

import functools

import jax
import jax.numpy as jnp
from flax import linen as nn

from mspd_jax.models.networks._form import WHOLE, Formed, Span


class Ensemble(Formed):
    """`count` classifiers as one: normalized images [..., H, W, C] -> logits.

    The logits are those of `log_mean_probability`. `member` makes a classifier; the
    variables of each stand under its name, member0, member1, ... With a `span` the maps
    of the members' layers lie one after the other along the channels.
    """

    member: functools.partial
    count: int

    @property
    def layer_scale(self) -> float:
        """How scales of the members' residual branches begin, see `initialize`."""
        return getattr(self.member.func, "layer_scale", 1.0)

    @nn.compact
    def __call__(
        self, x: jax.Array, train: bool = False, span: Span = WHOLE
    ) -> jax.Array:
        after, last = span
        inputs = [x] * self.count
        if after is not None:
            inputs = jnp.split(x, self.count, axis=-1)
        outputs = []
        for number, own in enumerate(inputs):
            network: nn.Module = self.part(self.member, name=f"member{number}")
            outputs.append(network(own, train, span=span))
        if last is not None:
            return jnp.concatenate(outputs, axis=-1)
        return log_mean_probability(jnp.stack(outputs))


def log_mean_probability(logits: jax.Array) -> jax.Array:
    """log 1/n sum_i softmax(logits_i): [n, ..., K] -> [..., K].

    Its softmax is the mean of the probabilities. Computed in float32 at least, in the
    log domain: no underflow. A class that nobody allows, by a logit of -inf, has a very
    low but finite one, so that no gradient is NaN.
    """
    if logits.dtype.itemsize < 4:
        logits = logits.astype(jnp.float32)
    each = jax.nn.log_softmax(logits, axis=-1)
    each = jnp.maximum(each, jnp.finfo(each.dtype).min / 4)
    return jax.nn.logsumexp(each, axis=0) - jnp.log(jnp.asarray(len(each), each.dtype))
