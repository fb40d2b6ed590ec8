"""The attack that knows of the detector: a wrong class that no window contradicts.

An attack that raises the loss of f_0 alone shows nothing about a detector: it fools f_0
and a window says so. This one looks for a patch with which f_0 and all f_w agree on one
wrong class t. It knows nothing of what the windows hide, only what they answer, so it
also tests whether the theorem of `detect` holds for a detector as it was built: an
image that is certified and evaded is a fault of the detector.
"""

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import lax

from mspd_jax.attacks import ascend_in_patch, better_of, margin, put_patch
from mspd_jax.errors import InputError
from mspd_jax.patch._detector import LEAD, Masked, contradict, detect
from mspd_jax.patch._passes import answer_of

# Steps with the same windows, where not all are asked.
_ROUND = 10


class Evasion(NamedTuple):
    """An attacked image, and what the detector says of it.

    Attributes:
      image: [H, W, C].
      evades: bool [], another label than the true one, and no alert; by `detect`.
      position: int [2], upper left corner of the patch; (-1, -1) where `image` is the
        original.
      loss: [], what was raised, over all windows: above 0 where all agree on t; -inf
        for the original.
    """

    image: jax.Array
    evades: jax.Array
    position: jax.Array
    loss: jax.Array


class _Found(NamedTuple):
    image: jax.Array
    position: jax.Array
    loss: jax.Array
    success: jax.Array


def evade(
    key: jax.Array,
    detector: Callable[[jax.Array], Masked],
    image: jax.Array,
    label: jax.Array,
    *,
    patch: int,
    positions: jax.Array,
    steps: int,
    step_size: float | jax.Array = 0.05,
    sample: int | None = None,
    confidence: float | jax.Array = 0.0,
) -> Evasion:
    """A patch that changes the label without an alert, or the nearest to it.

    Sign gradient ascent in the square (`ascend_in_patch`) on

        sum_w min(m_w, 0) + min_w m_w,    m_w = z_t - max_{j != t} z_j  of f_w,

    over f_0 and the windows: all that contradict t at once, and when none does, the one
    that is nearest to it. With a `confidence` T, m_w is raised to log T - log max p_w,
    as a window below T contradicts nothing. The best over positions and steps is kept:
    an evasion, whatever its class, before any loss.

    The class t, for each position: a window that hides the whole patch answers as it
    does without, so t is the wrong class that most answers that the patch does not move
    give. They are found by trying (a random patch and its negative), not by what the
    detector claims to hide. Where there are none, t is the runner-up of f_0: against a
    sound detector this cannot succeed, and is therefore a test of it.

    Costs, per position, `steps` gradients of f_0 and the windows asked, and three
    passes over all windows, or two and one per round. One position at a time.

        positions = attacks.patch_positions(image.shape, patch=5, count=5)
        found = patch.evade(
            key, detector, image, label, patch=5, positions=positions, steps=100
        )
        found.evades, found.image

    Args:
      key: position number p draws from fold_in(key, p); one that is listed twice is
        tried twice, which helps where gradients vanish, as in neurons that are not
        selected.
      detector: image -> `Masked`, a callable pytree; which windows share an answer
        matters to `evades` alone.
      image: [H, W, C] in [0, 1].
      label: int [], the true class; an image that has another without an alert is an
        evasion as it is.
      patch: side of the square, static.
      positions: int [P, 2], traced (`attacks.patch_positions`).
      steps: static.
      step_size: traced.
      sample: static; None asks all windows in each step. Else the steps go in rounds of
        10 (the last one is a whole one, too): in each, `sample` windows drawn at random
        and the `sample` that contradict t most are asked, and at its end all of them.
        The windows of a round are fixed, as its points could not be ranked otherwise.
      confidence: T of `detect`, traced.

    Returns:
      Evasion.
    """
    chex.assert_rank([image, label, positions], [3, 0, 2])
    chex.assert_axis_dimension(positions, 1, 2)
    if steps < 1:
        raise InputError(f"steps of an attack: expected 1 or more, got {steps}")
    if sample is not None and sample < 1:
        raise InputError(f"windows in a sample: expected 1 or more, got {sample}")
    count = jax.eval_shape(detector, image).same.shape[0]
    at_once = count if sample is None else min(count, 2 * sample)
    in_round = steps if at_once == count else min(steps, _ROUND)

    def score(logits, target):
        holds = _holds(logits, target, confidence)
        loss = jnp.sum(jnp.minimum(holds, 0.0)) + jnp.min(holds)
        return loss, _undetected(logits, label, confidence)

    def at_position(best, numbered):
        number, corner = numbered
        names = jax.random.split(jax.random.fold_in(key, number), 3)
        probe_key, start_key, round_key = names
        probes = _probes(probe_key, image, corner, patch)
        looks = lax.map(lambda x: _look(detector, x, count, at_once), probes)
        target = _choose(clean, looks, label, confidence)

        def one_round(number, state):
            x, holds, best = state
            windows = jnp.arange(count)
            if at_once < count:
                draw_key = jax.random.fold_in(round_key, number)
                windows = _draw(draw_key, holds[1:], sample)
            ascent = ascend_in_patch(
                start_key,
                x,
                corner,
                lambda x: score(_ask(detector(x), windows), target),
                patch=patch,
                steps=in_round,
                step_size=step_size,
                random_start=False,
            )
            logits = _look(detector, ascent.image, count, at_once)
            found = _Found(ascent.image, corner, *score(logits, target))
            holds = _holds(logits, target, confidence)
            return ascent.last, holds, better_of(found, best)

        shape = (patch, patch, image.shape[-1])
        content = jax.random.uniform(start_key, shape, image.dtype)
        x = put_patch(image, corner, content)
        state = x, _holds(clean, target, confidence), best
        rounds = -(-steps // in_round)
        return lax.fori_loop(0, rounds, one_round, state)[2], None

    corners = jnp.asarray(positions)
    clean = _look(detector, image, count, at_once)
    best = _Found(
        image,
        jnp.full((2,), -1, corners.dtype),
        jnp.full_like(image, -jnp.inf, shape=()),
        _undetected(clean, label, confidence),
    )
    numbers = jnp.arange(positions.shape[0])
    best, _ = lax.scan(at_position, best, (numbers, corners))
    found = detect(detector, best.image, budget=at_once, confidence=confidence)
    evades = (found.label != label) & ~found.alert
    return Evasion(best.image, evades, best.position, best.loss)


def _ask(masked, windows):
    """Logits [1 + b, K]: with nothing hidden, then with each of the windows."""
    return jnp.concatenate([masked.whole[None], masked.hide(windows)])


def _look(detector, image, count, at_once):
    """Logits [1 + W, K] of all windows, so many at once."""
    numbers = jnp.arange(count + -count % at_once) % count
    # As `detect` asks. The steps themselves need no such precision.
    with jax.default_matmul_precision("float32"):
        masked = detector(image)
        logits = lax.map(masked.hide, numbers.reshape(-1, at_once))
    logits = logits.reshape(-1, masked.whole.shape[0])[:count]
    return jnp.concatenate([masked.whole[None], logits])


def _undetected(logits, label, confidence):
    """Another label than the true one with nothing hidden, and no alert."""
    answers = answer_of(logits)
    whole = jax.tree.map(lambda x: x[:1], answers)
    alert = contradict(whole, answers, confidence)[1:]
    return (answers.labels[0] != label) & ~jnp.any(alert)


def _holds(logits, target, confidence):
    """How far each answer is from contradicting the target, [1 + b]; below 0 it does.

    The first, with nothing hidden, has to be the target itself.
    """
    lead = -jax.vmap(margin, in_axes=(0, None))(logits, target)
    unsure = jnp.log(confidence) - jnp.max(jax.nn.log_softmax(logits), axis=-1)
    return jnp.where(jnp.arange(lead.shape[0]) > 0, jnp.maximum(lead, unsure), lead)


def _probes(key, image, corner, patch):
    """The image with two patches between which every pixel differs, [2, H, W, C]."""
    shape = (patch, patch, image.shape[-1])
    content = jax.random.bernoulli(key, shape=shape).astype(image.dtype)
    return jnp.stack([put_patch(image, corner, c) for c in (content, 1.0 - content)])


def _choose(clean, looks, label, confidence):
    """The class t; from logits [1 + W, K] of the image, [2, 1 + W, K] of the probes."""
    # Rounding grows with the logits.
    size = jnp.maximum(jnp.max(jnp.abs(clean), axis=-1), 1.0)
    moved = jnp.max(jnp.abs(looks - clean[None]), axis=(0, 2)) / size
    answers = answer_of(clean)
    classes = jnp.arange(clean.shape[-1])
    counts = (moved <= LEAD) & (answers.confidences >= confidence)
    named = (answers.labels[:, None] == classes[None, :]) & counts[:, None]
    votes = jnp.where(classes == label, 0, jnp.sum(named, axis=0))
    runner_up = jnp.argmax(jnp.where(classes == label, -jnp.inf, clean[0]))
    return jnp.where(jnp.any(votes > 0), jnp.argmax(votes), runner_up)


def _draw(key, holds, sample):
    """Numbers of `sample` random windows, and of those that contradict most, [2 s]."""
    drawn = jax.random.choice(key, holds.shape[0], (sample,), replace=False)
    return jnp.concatenate([drawn, lax.top_k(-holds, sample)[1]])
