"""Bi-level preemptive robustification, the baseline (Moon et al., arXiv 2112.05634).

The image is moved, inside the l_inf ball of radius delta, to where an attack of radius
eps does least harm. The outer variable t is unbounded; tanh squeezes it into the ball:

    x(t) = lower + (tanh(t) + 1) / 2 * (upper - lower),
    lower = max(image - delta, 0),  upper = min(image + delta, 1),

and RMSprop makes CE(f(A(x(t))), label) small, A an inner PGD. Every outer step costs
inner_steps + 1 gradients: with the paper's values 2,100 in all, 52 times MSPD's 40.
"""

import chex
import jax
import jax.numpy as jnp
import optax
from jax import lax

from mspd_jax.attacks import ascent, cross_entropy, random_start
from mspd_jax.preempt._smooth import Predict


def bilevel(
    key: jax.Array,
    predict: Predict,
    image: jax.Array,
    label: jax.Array,
    *,
    eps: float | jax.Array,
    delta: float | jax.Array | None = None,
    outer_steps: int = 100,
    inner_steps: int = 20,
    learning_rate: float | jax.Array = 0.1,
    inner_step_size: float | jax.Array | None = None,
    uphill: bool = False,
) -> jax.Array:
    """The image near `image` where the attacked loss is low.

    Starts at a random point of the ball and descends.

    Args:
      key: the start draws from the first half of `split(key)`, the attack of outer step
        i from `fold_in` of the second half and i.
      predict: [H, W, C] -> [K], a callable pytree.
      image: [H, W, C] in [0, 1].
      label: int [], for the paper the model's own prediction.
      eps: radius of the inner attack, traced.
      delta: radius of the change, traced; eps by default.
      outer_steps: of RMSprop, static.
      inner_steps: of the attack, static.
      learning_rate: of RMSprop, traced.
      inner_step_size: traced; eps / 4 by default (the paper's .00784 at .03137).
      uphill: from `image` itself to where the loss is high instead, static.

    Returns:
      [H, W, C] within delta of `image` (l_inf) and in [0, 1]. Not meant to be
      differentiated through.
    """
    chex.assert_rank([image, label], [3, 0])
    for name, value in {"outer_steps": outer_steps, "inner_steps": inner_steps}.items():
        if value < 0:
            raise ValueError(f"{name} must not be negative, got {value}")
    delta = eps if delta is None else delta
    inner_step_size = eps / 4 if inner_step_size is None else inner_step_size
    start_key, attack_key = jax.random.split(key)
    lower = jnp.clip(image - delta, 0.0, 1.0)
    upper = jnp.clip(image + delta, 0.0, 1.0)

    def loss(x):
        return cross_entropy(predict(x), label)

    def slope(x):
        # The sign steps are constants, so that each attacked pixel moves with its own
        # pixel of x, one to one, and stands still where [0, 1] cuts it off: no second-
        # order term, just what automatic differentiation of the reference comes to.
        return jax.grad(loss)(lax.stop_gradient(x))

    def attacked_loss(t, key):
        x = _to_image(t, lower, upper)
        attacked = ascent(
            slope,
            random_start(key, x, eps=eps, norm="linf"),
            x,
            eps=eps,
            step_size=inner_step_size,
            steps=inner_steps,
            norm="linf",
            always_loop=True,
        )
        return loss(attacked)

    # PyTorch's RMSprop, which the reference uses: eps outside the root, v_0 = 0.
    optimizer = optax.rmsprop(learning_rate, decay=0.99, eps=1e-8, eps_in_sqrt=False)
    direction = -1.0 if uphill else 1.0

    def outer_step(i, state):
        t, moments = state
        gradient = jax.grad(attacked_loss)(t, jax.random.fold_in(attack_key, i))
        updates, moments = optimizer.update(direction * gradient, moments, t)
        return optax.apply_updates(t, updates), moments

    x = image if uphill else random_start(start_key, image, eps=delta, norm="linf")
    t = _from_image(x, lower, upper)
    t, _ = lax.fori_loop(0, outer_steps, outer_step, (t, optimizer.init(t)))
    return _to_image(t, lower, upper)


def bilevel_reconstruct(
    key: jax.Array, predict: Predict, image: jax.Array, label: jax.Array, **options
) -> jax.Array:
    """The paper's reconstruction attack: `bilevel` uphill, from the protected image.

    Args:
      key: as in `bilevel`; the first half of `split(key)` stays unused.
      predict: [H, W, C] -> [K], a callable pytree.
      image: the protected image itself, where the loop starts.
      label: what the attacker takes for its class, for the paper the model's
        prediction of it.
      **options: eps, which must be given, and the others of `bilevel`.

    Returns:
      [H, W, C] within delta of the protected image, hence within 2 * delta of the
      original.
    """
    return bilevel(key, predict, image, label, uphill=True, **options)


def _to_image(t, lower, upper):
    x = lower + (jnp.tanh(t) + 1.0) / 2.0 * (upper - lower)
    return jnp.minimum(x, upper)  # rounding may end one unit above


def _from_image(x, lower, upper):
    width = upper - lower
    share = (x - lower) / jnp.where(width > 0.0, width, 1.0)
    # 1.999 instead of 2, as in the reference: finite at the ends of the ball.
    return jnp.arctanh((share - 0.5) * 1.999)
