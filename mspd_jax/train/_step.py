"""One training step: a pure function of the state, the batch and the run's key."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from mspd_jax.models import Model, ModelSpec, function_of, gives_images, train_outputs
from mspd_jax.train._objective import Objective

# Clean accuracy costs a forward pass of its own where the objective makes none:
# this share of the batch has to do.
_CLEAN_SHARE = 8


class Signal(NamedTuple):
    """What a step reports, float32 []: means over the global batch.

    clean_accuracy: training-mode accuracy on the images as augmented; under "fgsm" and
        "pgd" the evaluation-mode accuracy on the first eighth of the batch.
    robust_accuracy: training-mode accuracy on the adversary's images; nan for "none".
        Of a denoiser: the classifiers' on noisy images that it has restored.
    """

    loss: jax.Array
    clean_accuracy: jax.Array
    robust_accuracy: jax.Array


class TrainState(NamedTuple):
    """All that training carries from step to step, and all that a checkpoint holds.

    step: int32 [], finished steps. params, batch_stats: the network.
    opt_state: of the optimizer. average: exponential average of {"params",
    "batch_stats"}, or None. totals: sums of the signals since the epoch began.
    """

    step: jax.Array
    params: Any
    batch_stats: Any
    opt_state: Any
    average: Any
    totals: Signal


class Batch(NamedTuple):
    """Examples and their randomness.

    keys: [B, 2], as `example_keys` makes them. image: [B, H, W, C], float32 in [0, 1]
    or uint8. label: int32 [B].
    """

    keys: jax.Array
    image: jax.Array | np.ndarray
    label: jax.Array | np.ndarray


# On its own, not in the step: the generator's code would be compiled there again for
# every architecture, and costs as much as a convolution's.
@jax.jit
def example_keys(key: jax.Array, epoch: jax.Array, index: jax.Array) -> jax.Array:
    """Keys of examples in an epoch, [B, 2]: for the augmentation, for the adversary.

    The example with data-set index i has split(fold_in(fold_in(key, epoch), i)).
    """
    epoch_key = jax.random.fold_in(key, epoch)
    return jax.vmap(lambda i: jax.random.split(jax.random.fold_in(epoch_key, i)))(index)


def initial_state(
    model: Model, optimizer: optax.GradientTransformation, *, ema: float | None = None
) -> TrainState:
    """The state before the first step; copies the model's arrays."""
    variables = jax.tree.map(lambda x: jnp.array(x, copy=True), model.variables)
    params, batch_stats = variables["params"], variables.get("batch_stats", {})
    latest = {"params": params, "batch_stats": batch_stats}
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        batch_stats=batch_stats,
        opt_state=optimizer.init(params),
        average=None if ema is None else jax.tree.map(jnp.copy, latest),
        totals=Signal(*(jnp.zeros((), jnp.float32) for _ in Signal._fields)),
    )


def trained_model(spec: ModelSpec, state: TrainState) -> Model:
    """The model in a state: the average where there is one."""
    latest = {"params": state.params, "batch_stats": state.batch_stats}
    return Model(spec, _variables(**(state.average or latest)))


def train_step(
    state: TrainState,
    batch: Batch,
    steps_per_epoch: jax.Array,
    objective: Objective,
    augment: Callable | None,
    optimizer: optax.GradientTransformation,
    *,
    spec: ModelSpec,
    ema: float | None = None,
    axis_name: str | None = None,
) -> tuple[TrainState, Signal]:
    """Augments, attacks and learns one batch; returns the next state and its signal.

    All randomness is in the batch's keys. `axis_name` averages gradients, signals and
    normalization over devices, which hold equal shares of the batch. steps_per_epoch:
    int [], traced: when to start new totals.
    """
    model = Model(spec, _variables(state.params, state.batch_stats))
    predict = function_of(model)
    images, adversarial = _examples(batch, predict, objective, augment)

    def loss_of(params):
        def forward(batch_stats, x, **edit):
            variables = _variables(params, batch_stats)
            out, updated = train_outputs(
                spec, variables, x, axis_name=axis_name, **edit
            )
            return out, updated or {}

        return objective.loss(
            forward, state.batch_stats, images, adversarial, batch.label
        )

    (loss, made), gradient = jax.value_and_grad(loss_of, has_aux=True)(state.params)
    clean = made.clean
    if clean is None and not gives_images(spec):
        share = -(-len(batch.label) // _CLEAN_SHARE)
        clean = jax.vmap(predict)(images[:share])
    signal = Signal(
        loss, _accuracy(clean, batch.label), _accuracy(made.robust, batch.label)
    )
    if axis_name is not None:
        gradient, signal = jax.lax.pmean((gradient, signal), axis_name)
    state = _learned(state, gradient, made.batch_stats, optimizer, ema)
    first = (state.step - 1) % steps_per_epoch == 0
    totals = jax.tree.map(
        lambda total, new: jnp.where(first, 0.0, total) + new, state.totals, signal
    )
    return state._replace(totals=totals), signal


def _examples(batch, predict, objective, augment):
    """The images of the batch as augmented, and as the adversary changes them."""

    def example(keys, image, label):
        augment_key, adversary_key = keys
        if image.dtype == jnp.uint8:
            image = image.astype(jnp.float32) / 255.0
        if augment is not None:
            image = augment(augment_key, image)
        if objective.adversary is None:
            return image, image
        return image, objective.adversary(adversary_key, predict, image, label)

    return jax.vmap(example)(batch.keys, batch.image, batch.label)


def _learned(state, gradient, batch_stats, optimizer, ema) -> TrainState:
    """The state after the optimizer's update, without the totals."""
    with jax.numpy_dtype_promotion("standard"):  # Adam raises a float to an integer
        updates, opt_state = optimizer.update(gradient, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    average = state.average
    if average is not None:
        # A young average forgets its start faster than `ema` would. Not
        # optax.incremental_update: 1 - (1 - keep) is keep but for the last bit.
        age = state.step.astype(jnp.float32)
        keep = jnp.minimum(ema, (1.0 + age) / (10.0 + age))
        average = jax.tree.map(
            lambda old, new: keep * old + (1.0 - keep) * new,
            average,
            {"params": params, "batch_stats": batch_stats},
        )
    return TrainState(
        state.step + 1, params, batch_stats, opt_state, average, state.totals
    )


def _variables(params, batch_stats) -> dict:
    return {"params": params, **({"batch_stats": batch_stats} if batch_stats else {})}


def _accuracy(logits, labels) -> jax.Array:
    """Share of right predictions among the first len(logits) labels.

    nan where there are no logits, or where the images have no labels (-1).
    """
    if logits is None:
        return jnp.full((), jnp.nan, jnp.float32)
    labels = labels[: len(logits)]
    right = jnp.argmax(logits, axis=-1) == labels
    share = right.mean(dtype=jnp.float32)
    return jnp.where(jnp.any(labels < 0), jnp.nan, share)
