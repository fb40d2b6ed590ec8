"""Training under windows: what is hidden, how often, and the loss against NumPy."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from mspd_jax import models, train
from mspd_jax.train import _occlusion
from tests.models.conversion.small_reference import convolve

SHAPE = (8, 8, 1)
MAP = (8, 8, 3)  # behind layer0
CUT, SIZE = "layer0", 3
SPEC = models.ModelSpec(
    architecture="small_cnn",
    options={"widths": [3, 4]},
    mean=(0.5,),
    std=(0.25,),
    num_classes=5,
    image_shape=SHAPE,
    origin={},
)
RNG = np.random.default_rng(0)
IMAGES = RNG.random((4, *SHAPE), np.float32)
LABELS = np.asarray([0, 4, 1, 1], np.int32)


def occluded(*keep, **options):
    options = {"cut": CUT, "size": SIZE, **options}
    return train.occluded_objective(SPEC, keep=keep, **options)


@functools.cache
def drawn(count, *keep, **options):
    """What the objective draws for so many keys."""
    keys = jax.random.split(jax.random.key(2), count)
    adversary = occluded(*keep, **options).adversary
    return jax.jit(jax.vmap(lambda key: adversary(key, None, IMAGES[0], 0)))(keys)


def test_every_window_and_every_share_is_drawn_alike():
    """6 x 6 places of a window, and neurons that see it through a kernel of 3."""
    found = drawn(4_000, 0.1, 0.5)
    first = []
    for axis in (found.hidden.rows, found.hidden.cols):
        seen = [
            [start - 1 <= place <= start + SIZE for place in range(8)]
            for start in range(6)
        ]
        same = (np.asarray(axis)[:, 0][:, None] == np.asarray(seen)).all(axis=-1)
        assert (same.sum(axis=1) == 1).all()
        first.append(same.argmax(axis=1))
    places = np.bincount(6 * first[0] + first[1], minlength=36)
    # Six standard deviations of 4000 draws: 62 of 111, and 190 of 2000.
    np.testing.assert_allclose(places, 4_000 / 36, atol=62)
    values, counts = np.unique(found.keep, return_counts=True)
    assert values.tolist() == [math.ceil(0.1 * 192), 96]
    np.testing.assert_allclose(counts, 2_000, atol=190)


def pruned(objective, choice, maps):
    """The maps that the rest of the network would read, through a stub of it."""

    @jax.jit
    def run(objective, choice, maps):
        def forward(stats, images, *, edit):
            cut, change = edit
            assert cut == CUT and stats == {}
            return jnp.zeros((len(images), 5)), change(maps)

        return objective.loss(forward, {}, IMAGES, choice, LABELS)[1].batch_stats

    return np.asarray(run(objective, choice, maps))


def unhidden(choice):
    """Which neurons do not see the window, bool [B, h, w, c]."""
    seen = choice.hidden.rows[:, 0, :, None] & choice.hidden.cols[:, 0, None, :]
    return np.repeat(~np.asarray(seen)[..., None], MAP[-1], axis=-1)


def kept(maps, choice):
    """The largest of what a window leaves, by a sorted list."""
    out = np.zeros_like(maps)
    free = unhidden(choice)
    for image, able, count, to in zip(maps, free, choice.keep, out, strict=True):
        flat = image.ravel()
        order = sorted(np.flatnonzero(able), key=lambda i: (-flat[i], i))
        to.ravel()[order[: int(count)]] = flat[order[: int(count)]]
    return out


def test_only_the_largest_that_miss_the_window_survive():
    choice = drawn(4, 0.1, 0.5)
    maps = RNG.normal(size=(4, *MAP)).astype(np.float32)
    maps[1] = maps[1].round()  # many that are equal
    got = pruned(occluded(0.1, 0.5), choice, maps)
    np.testing.assert_array_equal(got, kept(maps, choice))
    left = (got[0] != 0).sum()
    assert left == min(int(choice.keep[0]), unhidden(choice)[0].sum())


def test_only_the_largest_places_that_miss_the_window_survive():
    choice = drawn(4, 0.2, select="places")
    assert set(np.asarray(choice.keep).tolist()) == {13}  # of 64
    maps = RNG.normal(size=(4, *MAP)).astype(np.float32)
    got = pruned(occluded(0.2, select="places"), choice, maps)
    largest = np.abs(maps).max(axis=-1, keepdims=True)
    alone = np.where(unhidden(choice)[..., :1], largest, -1.0)
    for image, score, found in zip(maps, alone, got, strict=True):
        best = np.argsort(-score.ravel())[:13]
        want = np.zeros(64, bool)
        want[best] = True
        np.testing.assert_array_equal(
            found, np.where(want.reshape(8, 8, 1), image, 0.0)
        )


def test_windows_of_several_sizes_are_drawn():
    """Of 2 or 3 pixels, through a kernel of 3: 4 or 5 places, less at the border."""
    hidden = drawn(600, 1.0, least=2).hidden
    tall = np.asarray(hidden.rows)[:, 0].sum(axis=1)
    wide = np.asarray(hidden.cols)[:, 0].sum(axis=1)
    assert set(tall) == set(wide) == {3, 4, 5}
    inside = ~np.asarray(hidden.rows)[:, 0][:, [0, 7]].any(axis=1)
    assert set(tall[inside]) == {4, 5}


def test_all_that_miss_the_window_survive_where_everything_is_kept():
    choice = drawn(4, 1.0)
    maps = RNG.normal(size=(4, *MAP)).astype(np.float32)
    got = pruned(occluded(1.0), choice, maps)
    np.testing.assert_array_equal(got, np.where(unhidden(choice), maps, 0))
    # ... as where they are put in order.
    ranked = occluded(1.0)._replace(
        loss=jax.tree_util.Partial(
            functools.partial(
                _occlusion._loss, cut=CUT, listed=math.prod(MAP), select="neurons"
            ),
            smoothing=jnp.float32(0),
        )
    )
    np.testing.assert_array_equal(pruned(ranked, choice, maps), got)


def normalized(x, scale, bias):
    """By the moments of the batch, over all its places."""
    mean, var = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
    return (x - mean) / np.sqrt(var + 1e-5) * scale + bias


@pytest.mark.parametrize("keep, smoothing", [((0.3,), 0.0), ((1.0,), 0.1)])
def test_the_loss_is_that_of_numpy(keep, smoothing):
    """Behind the cut, moments are those of the maps that are pruned."""
    model = models.create_model(jax.random.key(3), SPEC)
    params = jax.tree.map(
        lambda x: x + 0.3 * RNG.normal(size=x.shape).astype(np.float32),
        model.variables["params"],
    )
    lowered = train.occluded_objective(
        SPEC, cut=CUT, size=SIZE, keep=keep, smoothing=smoothing
    )
    choice = drawn(4, *keep)

    @jax.jit
    def run(lowered, params, choice):
        def forward(stats, images, **edit):
            variables = {"params": params, "batch_stats": stats}
            return models.train_outputs(SPEC, variables, images, **edit)

        stats = model.variables["batch_stats"]
        return lowered.loss(forward, stats, jnp.asarray(IMAGES), choice, LABELS)

    loss, signals = run(lowered, params, choice)

    x = (IMAGES.astype(np.float64) - 0.5) / 0.25
    for name, stride in (("layer0", 1), ("layer1", 2)):
        layer = jax.tree.map(lambda x: np.asarray(x, np.float64), params[name])
        weights = layer["conv"]["kernel"].transpose(3, 2, 0, 1)
        x = np.stack([convolve(image, weights, stride) for image in x])
        x = np.maximum(normalized(x, **layer["norm"]), 0)
        x = kept(x, choice) if name == CUT else x
    head = jax.tree.map(lambda x: np.asarray(x, np.float64), params["head"])
    log_p = special.log_softmax(
        x.mean(axis=(1, 2)) @ head["kernel"] + head["bias"], axis=-1
    )
    target = (1 - smoothing) * np.eye(5)[LABELS] + smoothing / 5
    np.testing.assert_allclose(loss, -(target * log_p).sum(1).mean(), rtol=1e-4)
    np.testing.assert_allclose(
        jax.nn.log_softmax(signals.robust), log_p, rtol=1e-3, atol=1e-4
    )
    assert signals.clean is None


def test_a_gradient_reaches_what_lies_before_the_cut():
    model, choice = models.create_model(jax.random.key(3), SPEC), drawn(4, 0.3)
    stats, lowered = model.variables["batch_stats"], occluded(0.3)

    def loss(params):
        def forward(stats, images, **edit):
            variables = {"params": params, "batch_stats": stats}
            return models.train_outputs(SPEC, variables, images, **edit)

        return lowered.loss(forward, stats, jnp.asarray(IMAGES), choice, LABELS)[0]

    slope = jax.jit(jax.grad(loss))(model.variables["params"])
    for leaf in jax.tree.leaves(slope):
        assert np.isfinite(leaf).all() and np.abs(leaf).max() > 0


def test_equal_settings_share_a_compilation_and_so_do_other_weights():
    first, second = (occluded(0.1, 0.5) for _ in range(2))
    model = models.create_model(jax.random.key(7), SPEC)
    third = train.occluded_objective(model, cut=CUT, size=SIZE, keep=(0.1, 0.5))
    for other in (second, third):
        assert first.adversary.func == other.adversary.func
        assert first.loss.func == other.loss.func
