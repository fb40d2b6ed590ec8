"""The Two-stream Restoration Network: shapes, blocks of pixels, kinds, checkpoints."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import parameterized

from mspd_jax import models
from mspd_jax.errors import InputError
from mspd_jax.models.networks import _layers, _trn

RNG = np.random.default_rng(0)
SIZES = {"width": 8, "stages": 2, "blocks": 1, "shrink": 2}


def spec_of(maps=1, channels=3, **options):
    return models.ModelSpec(
        architecture="trn",
        options={**SIZES, "maps": maps, **options},
        mean=(0.4,) * channels,
        std=(0.5,) * channels,
        num_classes=0,
        image_shape=(6, 8, channels),
        origin={},
    )


def trained(spec):
    """Random weights, in the last layer too, where a fresh network has zeros."""
    model = models.create_model(jax.random.key(0), spec)
    noise = np.random.default_rng(1)
    variables = jax.tree.map(
        lambda x: x + 0.1 * noise.standard_normal(x.shape).astype(np.float32),
        model.variables,
    )
    return models.Model(spec, variables)


class BlocksTest(parameterized.TestCase):
    def test_a_block_of_pixels_becomes_channels_the_image_first(self):
        x = RNG.random((4, 6, 5), np.float32)
        got = np.asarray(_layers.blocks_as_channels(x, 2))
        self.assertEqual(got.shape, (2, 3, 20))
        block = x[2:4, 4:6]  # row 1, column 2
        np.testing.assert_array_equal(got[1, 2], block.transpose(2, 0, 1).ravel())
        np.testing.assert_array_equal(_layers.channels_as_blocks(got, 2), x)

    def test_edges_are_repeated_where_blocks_do_not_fit(self):
        x = RNG.random((5, 3, 1), np.float32)
        got = _layers.channels_as_blocks(_layers.blocks_as_channels(x, 2), 2)
        want = np.pad(x, ((0, 1), (0, 1), (0, 0)), mode="edge")
        np.testing.assert_array_equal(got, want)


class NetworkTest(parameterized.TestCase):
    @parameterized.parameters((1, 1), (2, 3), (1, 10))
    def test_a_fresh_network_returns_the_image(self, shrink, maps):
        model = models.create_model(jax.random.key(0), spec_of(maps, shrink=shrink))
        read = RNG.random((6, 8, 3 * (1 + maps)), np.float32)
        got = models.map_restorer(model)(read)
        np.testing.assert_allclose(got, read[..., :3], atol=1e-6)

    @parameterized.parameters(1, 2, 3)
    def test_any_size_and_both_streams_count(self, shrink):
        network = models.map_restorer(trained(spec_of(shrink=shrink)))
        read = RNG.random((5, 7, 6), np.float32)
        got = np.asarray(network(read))
        self.assertEqual(got.shape, (5, 7, 3))
        for part in (slice(0, 3), slice(3, 6)):
            other = read.copy()
            other[2, 3, part] = 1.0 - other[2, 3, part]
            moved = np.abs(np.asarray(network(other)) - got).max()
            self.assertGreater(moved, 1e-4)

    def test_fusion_carries_each_stream_into_the_other(self):
        block = _trn.FusionBlock(4)
        a, b = (RNG.random((3, 3, 4), np.float32) for _ in range(2))
        variables = block.init(jax.random.key(0), a, b)
        one, other = block.apply(variables, a, b)
        # Both gain the same, by the formula of the docstring.
        weights = jax.tree.map(np.asarray, variables["params"])
        both = np.concatenate([a, b], axis=-1)
        common = np.maximum(both @ weights["mix"]["kernel"][0, 0], 0)
        hidden = np.maximum(common.mean((0, 1)) @ weights["squeeze"]["kernel"], 0)
        gate = 1 / (1 + np.exp(-(hidden @ weights["excite"]["kernel"])))
        np.testing.assert_allclose(one - a, common * gate, atol=1e-5)
        np.testing.assert_allclose(other - b, common * gate, atol=1e-5)

    def test_folded_form_is_the_same_function(self):
        model = trained(spec_of())
        read = RNG.random((6, 8, 6), np.float32)
        shift = np.repeat(np.float32([0.4, 0.0]), 3)
        scale = np.repeat(np.float32([0.5, 1.0]), 3)
        normalized = (read - shift) / scale
        whole = models.build_module(model.spec).apply(model.variables, normalized)
        got = models.map_restorer(model)(read)
        np.testing.assert_allclose(got, 0.5 * whole + 0.4, atol=1e-4)

    @pytest.mark.slow
    def test_gradients_reach_every_weight(self):
        model = trained(spec_of())
        read = RNG.random((2, 6, 8, 6), np.float32)

        def loss(params):
            variables = model.variables | {"params": params}
            out, _ = models.train_outputs(model.spec, variables, read)
            return jnp.sum(out**2)

        slopes = jax.grad(loss)(model.variables["params"])
        slopes = jax.tree_util.tree_leaves_with_path(slopes)
        for path, slope in slopes:
            self.assertGreater(float(jnp.max(jnp.abs(slope))), 0.0, str(path))


class SpecTest(parameterized.TestCase):
    def test_two_sizes_that_differ_in_options_alone(self):
        for name in ("trn", "trn_small"):
            _, options = models.parse_architecture(name)
            self.assertEqual(options["rule"], "predicted")
        fields = {field.name for field in dataclasses.fields(_trn.TRN)}
        self.assertEqual(set(options) - fields, {"rule"})

    def test_each_kind_of_network_is_taken_for_what_it_is(self):
        trn = trained(spec_of())
        self.assertEqual(models.model_kind(trn.spec), "a restoration network")
        self.assertTrue(models.gives_images(trn.spec))
        for wrong in (models.predictor, models.restorer):
            with self.assertRaisesRegex(InputError, "a trn is a restoration network"):
                wrong(trn)
        denoiser = spec_of()._replace(architecture="dncnn", options={"width": 8})
        with self.assertRaisesRegex(InputError, "a dncnn is a denoiser, not a restor"):
            models.map_restorer(models.create_model(jax.random.key(0), denoiser))

    @parameterized.parameters(
        ({"rule": "true"}, "rule must be one of"),
        ({"maps": 0}, "maps must be 1 or more"),
        ({"shrink": 1.5}, "shrink must be 1 or more"),
    )
    def test_bad_options(self, options, message):
        with self.assertRaisesRegex(ValueError, message):
            models.build_module(spec_of(**options))


def test_checkpoint_keeps_rule_and_weights(tmp_path):
    model = trained(spec_of(maps=4, rule="all"))
    models.save_model(tmp_path / "trn", model)
    loaded = models.load_model(tmp_path / "trn")
    assert loaded.spec == model.spec
    assert models.function_hash(loaded) == models.function_hash(model)
    read = RNG.random((6, 8, 15), np.float32)
    np.testing.assert_array_equal(
        models.map_restorer(loaded)(read), models.map_restorer(model)(read)
    )
    # Another rule is another function.
    other = models.Model(spec_of(maps=4, rule="uniform"), model.variables)
    assert models.function_hash(other) != models.function_hash(model)
    with pytest.raises(InputError):
        models.map_restorer(loaded)(read[..., :6])
