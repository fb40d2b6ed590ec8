"""A mix of attacks as one adversary, for training on all of them at once.

FGSM, FFGSM, BIM, PGD and MIM in l_inf are one iteration with other numbers:

    x_0 = clip01(image + start * U(-eps, eps)),   m_0 = 0
    m_{t+1} = decay * m_t + g / mean |g|,   g = grad_x CE(predict(x_t), label)
    x_{t+1} = P(x_t + step * eps * sign(m_{t+1}))       for t < steps

With decay = 0 the sign of m is that of the gradient. So the kind of the attack is data:
drawn anew for each image in each epoch, and one loop serves the whole batch.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from mspd_jax.attacks import add_momentum, ascend, cross_entropy
from mspd_jax.errors import InputError
from mspd_jax.train._objective import fixed

MIXED = ("clean", "fgsm", "ffgsm", "bim", "pgd", "mim")


class Mix(NamedTuple):
    """Attacks as rows of numbers, and how often each is drawn.

    until: float32 [A], cumulated shares, the last one 1. start, step, decay: float32
    [A], as in the formula; start and step in eps. steps: int32 [A]. eps: float32 [E],
    radii in pixels, drawn uniformly.
    """

    until: jax.Array
    start: jax.Array
    step: jax.Array
    decay: jax.Array
    steps: jax.Array
    eps: jax.Array


def make_mix(shares: Mapping[str, float], *, eps: Sequence[float], steps: int) -> Mix:
    """A mix from shares by name (of MIXED), which sum to 1.

    eps: radii in pixels, drawn uniformly. steps: of bim, pgd and mim, which step 2.5,
    2.5 and 1 eps / steps at a time; fgsm steps eps, ffgsm 1.25 eps from a random start,
    and clean is the image as it is.
    """
    if unknown := sorted(set(shares) - set(MIXED)):
        raise InputError(f"mix: {unknown[0]!r} is none of {', '.join(MIXED)}")
    if not all(share >= 0 for share in shares.values()):  # also refuses nan
        raise InputError(f"mix: shares must not be negative, got {dict(shares)}")
    total = sum(shares.values())
    if abs(total - 1.0) > 1e-6:
        raise InputError(f"mix: the shares must sum to 1, they sum to {total:.6g}")
    if not eps or not all(0 < radius <= 1 for radius in eps):
        raise InputError(f"eps: every radius must lie in (0, 1], got {list(eps)}")
    if steps < 1:
        raise InputError(f"steps must be at least 1, got {steps}")
    rows = {
        # start, step, decay, steps
        "clean": (0.0, 0.0, 0.0, 0),
        "fgsm": (0.0, 1.0, 0.0, 1),
        "ffgsm": (1.0, 1.25, 0.0, 1),
        "bim": (0.0, 2.5 / steps, 0.0, steps),
        "pgd": (1.0, 2.5 / steps, 0.0, steps),
        "mim": (0.0, 1.0 / steps, 1.0, steps),
    }
    used = [name for name in MIXED if shares.get(name, 0.0) > 0]
    start, step, decay, count = zip(*(rows[name] for name in used), strict=True)
    until = jnp.cumsum(jnp.asarray([shares[name] for name in used], jnp.float32))
    return Mix(
        until=until.at[-1].set(1.0),
        start=jnp.asarray(start, jnp.float32),
        step=jnp.asarray(step, jnp.float32),
        decay=jnp.asarray(decay, jnp.float32),
        steps=jnp.asarray(count, jnp.int32),
        eps=jnp.asarray(eps, jnp.float32),
    )


def mixed_adversary(mix: Mix, victim: Callable) -> Partial:
    """The adversary of an `Objective` that attacks with a mix.

    victim: (predict, image) -> logits of what is attacked, a callable pytree; `predict`
    is the network in training, which an attacker may not know of.

    Returns (key, predict, image, label) -> image. Costs as many gradients for every
    image as the longest attack takes.
    """
    attacked = fixed(_attacked, steps=int(mix.steps.max()))
    return Partial(attacked, mix=mix, victim=victim)


def _attacked(key, predict, image, label, *, mix: Mix, victim, steps: int):
    kind_key, eps_key, start_key = jax.random.split(key, 3)
    kind = jnp.sum(jax.random.uniform(kind_key) >= mix.until[:-1], dtype=jnp.int32)
    eps = jax.random.choice(eps_key, mix.eps)
    start, step, decay = (column[kind] for column in (mix.start, mix.step, mix.decay))
    noise = jax.random.uniform(start_key, image.shape, minval=-1.0, maxval=1.0)
    slope = jax.grad(lambda x: cross_entropy(victim(predict, x), label))

    def turn(number, state):
        x, momentum = state
        momentum = add_momentum(momentum, slope(x), decay=decay)
        moved = ascend(x, momentum, image, eps=eps, step_size=step * eps, norm="linf")
        return jnp.where(number < mix.steps[kind], moved, x), momentum

    x = jnp.clip(image + start * eps * noise, 0.0, 1.0)
    state = x, jnp.zeros_like(image)
    if steps == 0:
        return x
    if steps == 1:  # a loop would only cost compile time
        return turn(jnp.zeros((), jnp.int32), state)[0]
    return jax.lax.fori_loop(0, steps, turn, state)[0]
