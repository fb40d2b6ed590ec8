"""The smoothed step: sign steps from many noisy copies of an image, averaged.

For noise u_1 ... u_N and a direction s (-1 makes the loss smaller, +1 larger):

    z_i = clip01(x + u_i)
    z_i <- P_B(x, eps)(z_i + s * step_size * sign(grad CE(f(z_i), label)))  K times
    S_s(x) = mean_i z_i

The mean of signs is a smooth function of the local gradient, which is what makes the
result transfer to models that were never asked (arXiv 2407.15524, section 4).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from mspd_jax.attacks import ascent, check_norm, cross_entropy

Predict = Callable[[jax.Array], jax.Array]


def smoothed_step(
    predict: Predict,
    x: jax.Array,
    label: jax.Array,
    draw_noise: Callable[[jax.Array], jax.Array],
    *,
    eps: float | jax.Array,
    direction: int,
    num_samples: int,
    chunk: int,
    steps: int = 1,
    step_size: float | jax.Array | None = None,
    norm: str = "linf",
) -> jax.Array:
    """S_s(x), within eps of `x`, in memory that grows with `chunk` alone; [H, W, C].

    The sum is taken chunk by chunk: another chunk size changes its rounding alone.

    draw_noise: draw numbers [n] -> noise [n, H, W, C] in the eps ball; each number is
    drawn once. direction: -1 makes the loss of `label` smaller, +1 larger; static. All
    else as in `mcgs`.
    """
    if num_samples < 1 or chunk < 1:
        raise ValueError(
            f"num_samples and chunk must be at least 1, got {num_samples} and {chunk}"
        )
    if direction not in (-1, 1):
        raise ValueError(f"direction must be -1 or +1, got {direction}")
    check_norm(norm, ("linf", "l2"))  # no file is written in an l1 ball
    step_size = jnp.asarray(eps if step_size is None else step_size, jnp.float32)

    def slope(z):
        gradient = jax.grad(lambda image: cross_entropy(predict(image), label))(z)
        return direction * gradient

    def walk(u):
        start = jnp.clip(x + u, 0.0, 1.0)
        return ascent(
            slope, start, x, eps=eps, step_size=step_size, steps=steps, norm=norm
        )

    def chunk_sum(start, size):
        return jax.vmap(walk)(draw_noise(start + jnp.arange(size))).sum(axis=0)

    whole, rest = divmod(num_samples, chunk)
    if whole == 1:  # no loop around the common case: it compiles to faster code
        total = chunk_sum(0, chunk)
    else:
        total = lax.fori_loop(
            0,
            whole,
            lambda i, total: total + chunk_sum(i * chunk, chunk),
            jnp.zeros_like(x),
        )
    if rest:
        total = total + chunk_sum(whole * chunk, rest)
    return total / num_samples
