"""Learning-rate schedules and optimizers by name, from optax.

Both are pytrees whose numbers are leaves: another rate or decay compiles nothing. How
many steps there are is static.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.tree_util import Partial

from mspd_jax.attacks import fixed
from mspd_jax.models import as_pytree

# (peak, steps) -> the learning rate by step.
SCHEDULES: dict[str, Callable[[float, int], optax.Schedule]] = {
    "constant": lambda peak, steps: optax.constant_schedule(peak),
    "cosine": lambda peak, steps: optax.cosine_decay_schedule(peak, steps),
    "linear": lambda peak, steps: optax.linear_schedule(peak, 0.0, steps),
    "piecewise": lambda peak, steps: _tenths(peak, int(0.5 * steps), int(0.75 * steps)),
    "thirds": lambda peak, steps: _tenths(peak, steps // 3, 2 * steps // 3),
}
OPTIMIZERS = ("sgd", "adamw")


def learning_rate_schedule(
    name: str, *, peak: float, steps: int, warmup_steps: int = 0
) -> optax.Schedule:
    """Learning rate as a function of the step, after a linear warm-up from 0.

    constant; cosine (to 0); linear (to 0); piecewise (a tenth from 50 % and a
    hundredth from 75 % of the steps on, Madry et al. 2018); thirds (the same after one
    and two thirds, Salman et al. 2020).
    """
    if not 0 <= warmup_steps < steps:
        raise ValueError(f"warmup_steps: expected 0 to {steps - 1}, got {warmup_steps}")
    if name not in SCHEDULES:
        raise ValueError(f"schedule {name!r}: expected one of {list(SCHEDULES)}")
    # Differences in double precision, as optax takes those of plain numbers.
    rise = peak / warmup_steps - peak if warmup_steps else 0.0
    rate = fixed(_rate, name=name, steps=steps, warmup_steps=warmup_steps)
    return Partial(rate, peak=np.float32(peak), rise=np.float32(rise))


def _rate(step, *, peak, rise, name, steps, warmup_steps) -> jax.Array:
    after = SCHEDULES[name](peak, steps - warmup_steps)
    if not warmup_steps:
        return after(step)
    # The first step already moves: (t + 1) / warm-up, not t / warm-up.
    below = optax.linear_schedule(rise, 0.0, warmup_steps - 1 or 1)
    return jnp.where(
        step < warmup_steps, below(step) + peak, after(step - warmup_steps)
    )


def _tenths(peak: float, *ends: int) -> optax.Schedule:
    return optax.piecewise_constant_schedule(peak, dict.fromkeys(ends, 0.1))


def optimizer(
    name: str = "sgd",
    *,
    learning_rate: float | optax.Schedule,
    weight_decay: float = 0.0,
    momentum: float = 0.9,
    clip: float | None = None,
) -> optax.GradientTransformation:
    """SGD with Nesterov momentum, or AdamW (its weight decay is decoupled).

    learning_rate: a schedule is one of `learning_rate_schedule`, or any function.
    weight_decay: acts on kernels only, not on biases and normalization. For SGD it is
        added to the gradient, as in PyTorch.
    clip: largest l2 norm of the whole gradient; None does not clip.
    """
    if name not in OPTIMIZERS:
        raise ValueError(f"optimizer {name!r}: expected one of {list(OPTIMIZERS)}")
    numbers = {"weight_decay": weight_decay, "momentum": momentum, "clip": clip}
    traced: dict[str, Any] = {
        key: np.float32(value) for key, value in numbers.items() if value is not None
    }
    if not weight_decay:
        del traced["weight_decay"]  # none at all is another chain
    traced["learning_rate"] = (
        as_pytree(learning_rate)
        if callable(learning_rate)
        else np.float32(learning_rate)
    )
    return optax.GradientTransformation(
        Partial(fixed(_begun, name=name), traced),
        Partial(fixed(_updated, name=name), traced),
    )


def _begun(numbers, params, *, name):
    return _chain(name, **numbers).init(params)


def _updated(numbers, updates, state, params=None, *, name):
    return _chain(name, **numbers).update(updates, state, params)


def _chain(name, *, learning_rate, momentum, weight_decay=None, clip=None):
    chain = [] if clip is None else [optax.clip_by_global_norm(clip)]
    if name == "sgd":
        if weight_decay is not None:
            chain.append(optax.add_decayed_weights(weight_decay, mask=_kernels))
        chain.append(optax.sgd(learning_rate, momentum=momentum, nesterov=True))
    else:
        decay = 0.0 if weight_decay is None else weight_decay
        chain.append(optax.adamw(learning_rate, weight_decay=decay, mask=_kernels))
    return optax.chain(*chain)


def _kernels(params: Any) -> Any:
    return jax.tree.map(lambda x: x.ndim > 1, params)
