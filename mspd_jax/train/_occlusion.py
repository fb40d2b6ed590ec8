"""Training under occlusion: of every image, or of its shallow map, a window is hidden.

What a detector of patches asks of a classifier is the same answer under each of its
windows. So the network learns with one at a random place: gray pixels, as Minority
Reports and PatchCleanser hide them, or, for ScaleCert, the neurons of a shallow map
that see it, with only the largest of the others kept.
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from mspd_jax import models, patch
from mspd_jax.train._objective import Objective, Signals, cross_entropies, fixed


class _Drawn(NamedTuple):
    """For an image: what a window hides of its map, and how many neurons are kept."""

    hidden: patch.Hidden
    keep: jax.Array


def occluded_objective(
    start: models.ModelSpec | models.Model,
    *,
    cut: str,
    size: int,
    least: int | None = None,
    keep: tuple[float, ...],
    select: str = "neurons",
    smoothing: float = 0.0,
) -> Objective:
    """Cross-entropy of what ScaleCert asks: maps pruned outside a random window.

    start: the classifier, or what it is to be. cut: the layer behind which its map is
    pruned. size: side of the window in pixels, static; `least`: where each image draws
    it, from `least` to `size`. keep: shares of the map's values that are kept, one of
    them drawn for each image. select: as of `patch.scalecert`. Raises InputError where
    the network cannot be split there, or for a window or a share that cannot be.
    """
    if isinstance(start, models.Model):
        model = start
    else:  # its weights are not used
        model = models.create_model(jax.random.key(0), start)
    parts, shape = models.split(model, cut), model.spec.image_shape
    among = patch.score_shape(parts.map_shape, select)
    counts = [patch.neuron_count(s, parts.map_shape, select=select) for s in keep]
    anywhere = patch.cover(shape, patch=size)
    hidden = patch.hidden_by(anywhere, parts.reaches, parts.map_shape)
    listed = max(counts) + patch.most_hidden(hidden) * among[-1]
    everything = min(counts) == math.prod(among)
    window = {"map_shape": parts.map_shape, "size": size, "least": least}
    draw = fixed(_draw, reaches=parts.reaches, **window)
    prune = {"select": select, "listed": None if everything else listed}
    loss = fixed(_loss, cut=cut, **prune)
    return Objective(
        Partial(draw, jnp.asarray(counts)),
        Partial(loss, smoothing=jnp.asarray(smoothing, jnp.float32)),
    )


def _draw(counts, key, predict, image, label, *, reaches, map_shape, **sides) -> _Drawn:
    del predict, label
    window_key, count_key = jax.random.split(key)
    hidden = patch.random_window(window_key, image.shape, reaches, map_shape, **sides)
    return _Drawn(hidden, jax.random.choice(count_key, counts))


def _loss(forward, batch_stats, images, drawn, labels, *, smoothing, cut, **how):
    prune = functools.partial(_pruned, **how)
    edit = cut, lambda places: jax.vmap(prune)(places, drawn)
    logits, batch_stats = forward(batch_stats, images, edit=edit)
    loss = cross_entropies(logits, labels, smoothing).mean()
    return loss, Signals(batch_stats, None, logits)


def _pruned(places, drawn, *, listed, select):
    if listed is None:  # nothing to put in order
        return jnp.where(patch.hides(drawn.hidden, 0)[..., None], 0.0, places)
    ranked = patch.rank_neurons(places, listed=listed, select=select)
    limit = patch.limits(ranked, drawn.hidden, keep=drawn.keep)[0, 0]
    return patch.prune_outside(ranked, drawn.hidden, limit, 0)
