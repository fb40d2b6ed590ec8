"""Networks in two parts: what they give together, and what a place does not see."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mspd_jax import models
from mspd_jax.convolution import _winograd as winograd
from mspd_jax.errors import InputError
from mspd_jax.models import _build

RNG = np.random.default_rng(0)


@functools.cache
def network(architecture, size=16, seed=0, **options):
    """Weights and statistics in general position, drawn without compiling anything."""
    denoiser = architecture == "dncnn"
    of = models.ModelSpec(
        architecture=architecture,
        options=options,
        mean=(0.4, 0.5, 0.6),
        std=(0.2, 0.3, 0.25),
        num_classes=0 if denoiser else 5,
        image_shape=(size, size, 3),
        origin={},
    )
    rng = np.random.default_rng(seed)
    shapes = jax.eval_shape(
        lambda key: models.create_model(key, of).variables, jax.random.key(0)
    )

    def draw(path, leaf):
        normal = rng.standard_normal(leaf.shape, np.float32)
        if path[-1].key == "kernel":
            return normal * np.float32(np.sqrt(2 / max(1, np.prod(leaf.shape[:-1]))))
        if path[-1].key in ("scale", "var"):
            return 1 + np.abs(0.2 * normal)
        return 0.2 * normal

    return models.Model(of, jax.tree_util.tree_map_with_path(draw, shapes))


def small_cnn(seed=0):
    return network("small_cnn", size=12, seed=seed, widths=(4, 5, 6))


WHOLE = [
    ("small_cnn", "layer0"),
    ("small_cnn", "layer2"),
    ("resnet20", "stage1_block0"),
    ("wide_resnet10_1", "stage0_block0"),
    ("wide_resnet10_1", "norm"),
]


def cut_in_two(architecture, cut):
    if architecture == "small_cnn":
        return small_cnn(), models.split(small_cnn(), cut)
    model = network(architecture)
    return model, models.split(model, cut)


def images_of(model, count):
    return jnp.asarray(RNG.random((count, *model.spec.image_shape), np.float32))


@pytest.mark.parametrize(
    "architecture, cut",
    [
        *WHOLE,
        pytest.param("preact_resnet18", "stem", marks=pytest.mark.slow),
        pytest.param("preact_resnet18", "stage0_block0", marks=pytest.mark.slow),
    ],
)
def test_the_parts_make_the_whole(architecture, cut):
    model, parts = cut_in_two(architecture, cut)
    images = images_of(model, 3)
    places, together, whole = jax.jit(
        lambda parts, predict, x: (
            jax.vmap(parts.shallow)(x),
            jax.vmap(lambda x: parts.rest(parts.shallow(x)))(x),
            jax.vmap(predict)(x),
        )
    )(parts, models.predictor(model), images)
    assert places.shape[1:] == parts.map_shape
    scale = np.abs(whole).max()
    np.testing.assert_allclose(together, whole, rtol=0, atol=1e-5 * scale)
    assert np.ptp(whole, axis=0).min() > 0.01 * scale  # the images matter


def squares(model, side, count):
    """An image, and copies with a square changed at the corners and anywhere."""
    size = model.spec.image_shape[0]
    image = RNG.random(model.spec.image_shape, np.float32)
    corners = list(itertools.product((0, size - side), repeat=2))
    places = corners + RNG.integers(0, size - side + 1, (count, 2)).tolist()
    images = [image]
    for row, col in places:
        changed = image.copy()
        square = changed[row : row + side, col : col + side]
        square[...] = RNG.random(square.shape, np.float32)
        images.append(changed)
    return jnp.asarray(np.stack(images)), places


def one_at_a_time(function, images):
    """By the same program at the same place: in a batch, rounding may depend on it."""
    return np.asarray(jax.jit(functools.partial(jax.lax.map, function))(images))


def leaks(maps, places, reaches, side):
    """Values that changed at places whose fields miss the square, and at all others."""
    outside = inside = 0
    for changed, (row, col) in zip(maps[1:], places, strict=True):
        seen = [
            [
                any(
                    start <= reach.stride * i + reach.low + k < start + side
                    for k in range(reach.high - reach.low + 1)
                )
                for i in range(length)
            ]
            for reach, length, start in zip(
                reaches, maps.shape[1:3], (row, col), strict=True
            )
        ]
        differs = changed.view(np.int32) != maps[0].view(np.int32)
        near = np.outer(*seen)
        outside += differs[~near].sum()
        inside += differs[near].sum()
    return outside, inside


CUTS = [*WHOLE[:-1], ("preact_resnet18", "stem"), ("preact_resnet18", "stage0_block0")]


@pytest.mark.parametrize("architecture, cut", CUTS)
def test_no_bit_changes_where_a_square_is_not_seen(architecture, cut):
    model, parts = cut_in_two(architecture, cut)
    images, places = squares(model, side=3, count=12)
    maps = one_at_a_time(parts.shallow, images)
    outside, inside = leaks(maps, places, parts.reaches, 3)
    assert outside == 0 and inside > 0


def test_neither_does_winograds_method_leak():
    """F(2x2, 3x3) is taken for 64 channels, unless it is ruled out.

    Of four rows of pixels the first is in no product that the second row of outputs
    adds up, and the last in none of the first row: nothing has to cancel.
    """
    model, parts = cut_in_two("preact_resnet18", "stage0_block0")
    weights = _build.folded_weights(model)
    kernel = weights["stage0_block0"]["second"]["kernel"]
    assert winograd.pays_off(1, (16, 16), ((1, 1), (1, 1)), kernel)
    module = _build.network_of(_build.signature(model.spec), folded=True)
    scaling = _build.normalization(model.spec)

    def as_it_is(image):
        x = _build.normalize(image, *scaling)
        return module.apply({"params": weights}, x, span=(None, "stage0_block0"))

    for side in (1, 2, 3):
        images, places = squares(model, side=side, count=12)
        maps = one_at_a_time(as_it_is, images)
        outside, inside = leaks(maps, places, parts.reaches, side)
        assert outside == 0 and inside > 0


def test_equal_architectures_share_a_compilation():
    first, second = (models.split(small_cnn(seed), "layer1") for seed in (0, 1))
    assert first.shallow.func is second.shallow.func
    assert first.rest.func is second.rest.func
    assert models.split(small_cnn(), "layer0").rest.func is not first.rest.func
    run = jax.jit(lambda parts, x: parts.rest(parts.shallow(x)))
    image = images_of(small_cnn(), 1)[0]
    logits = [run(parts._replace(reaches=0), image) for parts in (first, second)]
    assert run._cache_size() == 1
    assert np.abs(logits[0] - logits[1]).max() > 0.01


def test_weights_are_leaves():
    parts = models.split(small_cnn(), "layer0")
    kernels = [len(jax.tree.leaves(part)) for part in (parts.shallow, parts.rest)]
    # All weights, and mean and deviation of the images.
    assert kernels == [2 * 3 + 2 + 2, 2 * 3 + 2]


@pytest.mark.parametrize(
    "cut, words",
    [
        ("layer3", "no layer 'layer3': it has layer0, layer1, layer2, head"),
        ("", "no layer ''"),
        ("head", "small_cnn cannot be split after 'head': it sums or compares over"),
    ],
)
def test_a_bad_cut_is_refused(cut, words):
    with pytest.raises(InputError, match=words) as refusal:
        models.split(small_cnn(), cut)
    assert "\n" not in str(refusal.value)


def test_a_denoiser_is_refused():
    with pytest.raises(InputError, match="is a denoiser, not a classifier"):
        models.split(network("dncnn", depth=3, width=4), "conv0")


@pytest.mark.parametrize(
    "architecture, cut",
    [
        ("small_cnn", "layer1"),
        pytest.param("wide_resnet10_1", "stem", marks=pytest.mark.slow),
    ],
)
def test_training_with_an_edit_that_changes_nothing(architecture, cut):
    model, parts = cut_in_two(architecture, cut)
    images = images_of(model, 4)
    seen = []

    def outputs(variables, change=None):
        edit = None if change is None else (cut, change)
        return models.train_outputs(model.spec, variables, images, edit=edit)

    def same(places):
        seen.append(places.shape)
        return places

    plain = jax.jit(outputs)(model.variables)
    edited = jax.jit(lambda variables: outputs(variables, same))(model.variables)
    assert seen == [(4, *parts.map_shape)]
    assert jax.tree.structure(plain) == jax.tree.structure(edited)
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-5),
        plain,
        edited,
    )
    moved = jax.tree.map(
        lambda x, y: not np.array_equal(x, y),
        model.variables["batch_stats"],
        edited[1],
    )
    assert all(jax.tree.leaves(moved))  # of both parts


def test_an_edit_is_what_the_rest_reads():
    model = small_cnn()
    images = images_of(model, 4)

    @jax.jit
    def run(variables, factor):
        def change(places):
            return factor * places

        return models.train_outputs(
            model.spec, variables, images, edit=("layer2", change)
        )[0]

    one, two = (np.asarray(run(model.variables, factor)) for factor in (1.0, 2.0))
    # Behind the last map the network is linear.
    bias = np.asarray(model.variables["params"]["head"]["bias"])
    np.testing.assert_allclose(two - bias, 2 * (one - bias), rtol=1e-4, atol=1e-5)
