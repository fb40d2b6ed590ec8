"""Momentum iterative attacks that transfer (Dong et al. 2018, arXiv 1710.06081)."""

import chex
import jax
import jax.numpy as jnp
from jax import lax

from mspd_jax.attacks import _ball, _transforms
from mspd_jax.attacks._ascent import add_momentum
from mspd_jax.attacks._checks import check_count, check_norm
from mspd_jax.attacks._losses import cross_entropy, objective
from mspd_jax.attacks._proposal import Loss, Predict, Proposal


def mim(
    key: jax.Array,
    predict: Predict,
    image: jax.Array,
    label: jax.Array,
    *,
    eps: float | jax.Array,
    norm: str = "linf",
    step_size: float | jax.Array | None = None,
    steps: int = 10,
    decay: float | jax.Array = 1.0,
    target: jax.Array | int | None = None,
    loss: Loss = cross_entropy,
    nesterov: bool = False,
    scales: int = 1,
    diversity: float | jax.Array | None = None,
    resize: float | jax.Array = 0.9,
    kernel: int = 1,
    kernel_sigma: float | jax.Array = 3.0,
    neighbors: int = 0,
    neighborhood: float | jax.Array = 1.5,
) -> Proposal:
    """Steps along a decaying sum of normalized gradients, so that peaks average out.

        m' = decay * m + (g + v) / mean |g + v|,   x' = P(x + step_size direction(m'))

    g: the gradient of the loss at x, as the options have it (v = 0 without the last):

    - nesterov (NI, 1908.06281): at x + step_size * decay * m instead, in l2 at
      x + step_size * decay * direction(m);
    - scales (SI, 1908.06281): mean over i < scales of grad loss(predict(x / 2^i));
    - diversity (DI, 1803.06978): the image randomly resized and padded (`diversify`)
      with this probability, to `resize` of its side at least; None: never;
    - kernel (TI, 1904.02884): g + v convolved with a Gaussian of so many pixels, which
      reaches to `kernel_sigma` standard deviations (`smooth`);
    - neighbors (VMI, 2103.15571): v is the mean gradient at so many points drawn from
      the ball of radius neighborhood * eps around the step before, minus g there.

    Arguments as in all attacks (`mspd_jax.attacks`); the key is for DI and VMI;
    step_size=None means eps / steps. decay, diversity, resize, kernel_sigma,
    neighborhood: traced. nesterov, scales, kernel (odd), neighbors: static.

    Returns a Proposal; costs steps * scales * (1 + neighbors) gradients, one at a time,
    and one prediction. No gradient flows through the linf sign.
    """
    chex.assert_rank([image, label], [3, 0])
    check_norm(norm, ("linf", "l2"))
    check_count("steps", steps)
    check_count("scales", scales)
    check_count("kernel", kernel)
    check_count("neighbors", neighbors, least=0)
    if kernel % 2 == 0:
        raise ValueError(f"kernel must be odd; got {kernel}")
    if step_size is None:
        step_size = eps / steps

    def value(x):
        return objective(predict(x), label, target=target, loss=loss)

    def gradients(step_key, x):
        """Mean gradient at x; and that at its neighbors less it, or zero."""
        noise_key, view_key = jax.random.split(step_key)

        def view(number, sums):
            # Point 0 is x itself, the others are neighbors; each in all scales. One
            # after the other, so that the model stands in the program once.
            point, scale = number // scales, 0.5 ** jnp.float32(number % scales)
            z = x
            if neighbors:
                point_key, far = (
                    jax.random.fold_in(noise_key, point),
                    neighborhood * eps,
                )
                noise = _ball.ball_noise(point_key, x.shape, eps=far, norm=norm)
                z = jnp.where(point == 0, x, x + noise)
            own_key = jax.random.fold_in(view_key, number)

            def seen(x):
                if diversity is not None:
                    share = {"probability": diversity, "resize": resize}
                    x = _transforms.diversify(own_key, x, **share)
                return value(scale * x)

            gradient = jnp.nan_to_num(jax.grad(seen)(z), posinf=1e37, neginf=-1e37)
            mine = jnp.where(point == 0, gradient, 0.0)
            return sums[0] + mine, sums[1] + (gradient - mine)

        views = scales * (1 + neighbors)
        sums = jnp.zeros_like(x), jnp.zeros_like(x)
        if views == 1:  # no loop for the compiler to look at
            here, around = view(0, sums)
        else:
            here, around = lax.fori_loop(0, views, view, sums)
        here = here / scales
        if neighbors:
            around = around / (scales * neighbors) - here
        return here, around

    def step(t, state):
        x, momentum, variance = state
        ahead = x
        if nesterov:
            direction = momentum
            if norm == "l2":
                # The paper has no l2: a mean of 1 per pixel would not be a length.
                direction = _ball.ascent_direction(momentum, norm=norm)
            ahead = x + step_size * decay * direction
        gradient, difference = gradients(jax.random.fold_in(key, t), ahead)
        gradient = gradient + variance
        if kernel > 1:
            gradient = _transforms.smooth(gradient, kernel=kernel, sigmas=kernel_sigma)
        momentum = add_momentum(momentum, gradient, decay=decay)
        x = _ball.ascend(x, momentum, image, eps=eps, step_size=step_size, norm=norm)
        return x, momentum, difference

    nothing = jnp.zeros_like(image)
    x, _, _ = lax.fori_loop(0, steps, step, (image, nothing, nothing))
    return Proposal(x, value(x))
