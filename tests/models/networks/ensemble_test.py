"""Ensembles of one architecture: by name, as one network, on disk, in two parts."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mspd_jax import models
from mspd_jax.errors import InputError
from mspd_jax.models._architectures import make_network
from mspd_jax.models._initialize import variable_shapes
from tests.models import small_models
from tests.models.brute_force import check_field
from tests.models.networks.numpy_blocks import drawn

COUNT = 3
OPTIONS = {"widths": [3, 4]}
IMAGES = small_models.IMAGES


@functools.cache
def ensemble():
    """Three small_cnns, each with its own weights and statistics."""
    spec = small_models.spec(f"ensemble{COUNT}_small_cnn", **OPTIONS)
    variables = drawn(models.build_module(spec), IMAGES[0])
    return models.Model(spec, jax.tree.map(jnp.asarray, variables))


def members(model):
    """The networks that it is made of."""
    spec = model.spec._replace(architecture="small_cnn")
    return [
        models.Model(spec, {k: v[f"member{i}"] for k, v in model.variables.items()})
        for i in range(COUNT)
    ]


def test_logits_are_those_of_the_members_together():
    images = jnp.asarray(IMAGES)
    logits = jax.jit(jax.vmap(models.predictor(ensemble())))(images)
    predicts = [models.predictor(member) for member in members(ensemble())]
    each = np.stack([jax.vmap(predict)(images) for predict in predicts])
    assert np.abs(each[0] - each[1]).max() > 0.1
    want = np.log(np.mean(jax.nn.softmax(each), axis=0))
    np.testing.assert_allclose(logits, want, rtol=1e-4, atol=1e-5)
    together = jax.vmap(models.ensemble(predicts))(images)
    np.testing.assert_allclose(logits, together, rtol=1e-4, atol=1e-5)


def test_training_form_equals_the_folded_one():
    normal = jnp.asarray((IMAGES - np.float32(0.4)) / np.float32(0.3))
    module = models.build_module(ensemble().spec)
    found = jax.vmap(models.predictor(ensemble()))(jnp.asarray(IMAGES))
    want = module.apply(ensemble().variables, normal)
    np.testing.assert_allclose(found, want, rtol=1e-4, atol=1e-5)


def test_training_moves_the_moments_of_all():
    logits, stats = models.train_outputs(
        ensemble().spec, ensemble().variables, jnp.asarray(IMAGES)
    )
    np.testing.assert_allclose(jax.nn.softmax(logits).sum(axis=-1), 1, rtol=1e-5)
    for number, member in enumerate(members(ensemble())):
        _, want = models.train_outputs(
            member.spec, member.variables, jnp.asarray(IMAGES)
        )
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
            stats[f"member{number}"],
            want,
        )


def test_bfloat16_members_are_averaged_in_float32():
    predict = models.predictor(ensemble(), dtype=jnp.bfloat16)
    logits = predict(jnp.asarray(IMAGES[0]))
    assert logits.dtype == jnp.float32
    # bfloat16 keeps 8 bits, so a sum of probabilities would be off by as much.
    np.testing.assert_allclose(jnp.exp(logits).sum(), 1, rtol=1e-5)


def test_a_checkpoint_loads_as_it_was(tmp_path):
    models.save_model(tmp_path / "saved", ensemble())
    loaded = models.load_model(tmp_path / "saved")
    assert loaded.spec == ensemble().spec
    jax.tree.map(np.testing.assert_array_equal, loaded.variables, ensemble().variables)


@pytest.mark.parametrize("cut", ["layer0", "layer1", "head"])
def test_two_parts_are_the_whole(cut):
    model = ensemble()
    images = jnp.asarray(IMAGES)
    module = models.build_module(model.spec)
    whole = module.apply(model.variables, images)
    maps = module.apply(model.variables, images, span=(None, cut))
    own = small_models.spec(**OPTIONS)
    shape = models.build_module(own).apply(
        members(model)[0].variables, images, span=(None, cut)
    )
    assert maps.shape == (*shape.shape[:-1], COUNT * shape.shape[-1])
    end = module.apply(model.variables, maps, span=(cut, None))
    np.testing.assert_allclose(end, whole, rtol=1e-5, atol=1e-6)


def test_split_has_the_field_of_a_member():
    spec = small_models.spec(
        f"ensemble{COUNT}_small_cnn", channels=1, widths=[2, 2]
    )._replace(image_shape=(10, 11, 1))
    parts = models.split(models.create_model(jax.random.key(0), spec), "layer1")
    check_field(parts.shallow, (10, 11, 1))
    assert [reach.high - reach.low + 1 for reach in parts.reaches] == [5, 5]
    image = jnp.asarray(np.random.default_rng(0).random((10, 11, 1), np.float32))
    assert parts.map_shape[-1] == COUNT * 2
    assert parts.rest(parts.shallow(image)).shape == (5,)


def test_options_normalization_and_start_are_those_of_the_members():
    name = "ensemble2_convnext_tiny"
    assert models.default_normalization(name, 3) == models.default_normalization(
        "convnext_tiny", 3
    )
    _, options = models.parse_architecture(name)
    assert options == models.parse_architecture("convnext_tiny")[1]
    sizes = {"depths": [1] * 4, "dims": [2] * 4}
    module = make_network(name, sizes, outputs=3)
    own = make_network("convnext_tiny", sizes, outputs=3)
    assert module.layer_scale == own.layer_scale == 1e-6
    shapes = variable_shapes(module, (32, 32, 3))["params"]
    assert shapes == dict.fromkeys(
        ("member0", "member1"), variable_shapes(own, (32, 32, 3))["params"]
    )
    assert make_network("ensemble2_resnet20", {}, outputs=3).layer_scale == 1


@pytest.mark.parametrize(
    "name",
    [
        "ensemble_small_cnn",
        "ensemble0_small_cnn",
        "ensemble1_small_cnn",
        "ensemble100_small_cnn",
        "ensemble2_none",
        "ensemble2_dncnn",
        "ensemble2_ensemble2_small_cnn",
    ],
)
def test_what_is_no_ensemble_is_refused(name):
    with pytest.raises(InputError, match="as in ensemble3_resnet20"):
        models.parse_architecture(name)
