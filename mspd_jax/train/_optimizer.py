"""Learning-rate schedules and optimizers by name, from optax."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import optax

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
    after = SCHEDULES[name](peak, steps - warmup_steps)
    if not warmup_steps:
        return after
    # The first step already moves: (t + 1) / warm-up, not t / warm-up.
    warmup = optax.linear_schedule(peak / warmup_steps, peak, warmup_steps - 1 or 1)
    return optax.join_schedules([warmup, after], [warmup_steps])


def _tenths(peak: float, *ends: int) -> optax.Schedule:
    return optax.piecewise_constant_schedule(peak, dict.fromkeys(ends, 0.1))


@functools.cache  # the same arguments give the same object, so nothing recompiles
def optimizer(
    name: str = "sgd",
    *,
    learning_rate: float | optax.Schedule,
    weight_decay: float = 0.0,
    momentum: float = 0.9,
    clip: float | None = None,
) -> optax.GradientTransformation:
    """SGD with Nesterov momentum, or AdamW (its weight decay is decoupled).

    weight_decay: acts on kernels only, not on biases and normalization. For SGD it is
        added to the gradient, as in PyTorch.
    clip: largest l2 norm of the whole gradient; None does not clip.
    """
    chain = [] if clip is None else [optax.clip_by_global_norm(clip)]
    if name == "sgd":
        if weight_decay:
            chain.append(optax.add_decayed_weights(weight_decay, mask=_kernels))
        chain.append(optax.sgd(learning_rate, momentum=momentum, nesterov=True))
    elif name == "adamw":
        chain.append(
            optax.adamw(learning_rate, weight_decay=weight_decay, mask=_kernels)
        )
    else:
        raise ValueError(f"optimizer {name!r}: expected one of {list(OPTIMIZERS)}")
    return optax.chain(*chain)


def _kernels(params: Any) -> Any:
    return jax.tree.map(lambda x: x.ndim > 1, params)
