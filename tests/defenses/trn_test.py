"""A classifier behind its restoration network: values, gradients, what stays a leaf."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import parameterized

from mspd_jax import models
from mspd_jax.attacks import straight_through
from mspd_jax.defenses import gradient_map, restoration, trn
from mspd_jax.models import behind

RNG = np.random.default_rng(0)
IMAGE = RNG.uniform(0.0, 1.0, (6, 6, 3)).astype(np.float32)
WEIGHTS = jnp.arange(4.0) - 1.5


def model(architecture, num_classes, **options):
    spec = models.ModelSpec(
        architecture=architecture,
        options=options,
        mean=(0.0,) * 3,
        std=(1.0,) * 3,
        num_classes=num_classes,
        image_shape=(6, 6, 3),
        origin={},
    )
    made = models.create_model(jax.random.key(num_classes), spec)
    noise = np.random.default_rng(num_classes)
    return models.Model(
        spec,
        jax.tree.map(
            lambda x: x + 0.1 * noise.standard_normal(x.shape).astype(np.float32),
            made.variables,
        ),
    )


PREDICT = models.predictor(
    model("small_cnn", 4, widths=[6, 6], activation="silu", norm=False)
)
SIZES = {"width": 6, "stages": 1, "blocks": 1, "shrink": 1}
TRN = {
    rule: model("trn", 0, rule=rule, maps=4 if rule == "all" else 1, **SIZES)
    for rule in ("predicted", "all")
}
slope = jax.jit(lambda f, x: jax.grad(lambda x: WEIGHTS @ f(x))(x))


class TRNTest(parameterized.TestCase):
    @parameterized.parameters(*TRN)
    def test_the_network_sees_image_and_map_and_is_clipped(self, rule):
        maps = gradient_map(PREDICT, IMAGE, rule=rule)
        read = jnp.concatenate([IMAGE, maps], axis=-1)
        raw = np.asarray(models.map_restorer(TRN[rule])(read))
        self.assertGreater(max(raw.max() - 1, -raw.min()), 0)  # there is what to clip
        got = restoration(PREDICT, TRN[rule])(IMAGE)
        np.testing.assert_allclose(got, raw.clip(0, 1), atol=1e-5)
        logits = trn(PREDICT, TRN[rule])(IMAGE)
        np.testing.assert_allclose(logits, PREDICT(got), atol=1e-4)

    @pytest.mark.slow
    def test_detach_leaves_out_the_second_order_and_nothing_else(self):
        model = TRN["predicted"]
        whole, detached = (
            behind(restoration(PREDICT, model, detach=d), PREDICT)
            for d in (False, True)
        )
        np.testing.assert_array_equal(whole(IMAGE), detached(IMAGE))
        # The map held fixed by hand.
        maps = gradient_map(PREDICT, IMAGE, rule="predicted")
        network = models.map_restorer(model)

        def by_hand(x):
            read = jnp.concatenate([x, maps], axis=-1)
            return PREDICT(jnp.clip(network(read), 0.0, 1.0))

        want = jax.grad(lambda x: WEIGHTS @ by_hand(x))(IMAGE)
        np.testing.assert_allclose(slope(detached, IMAGE), want, rtol=1e-4, atol=1e-5)
        apart = np.abs(slope(whole, IMAGE) - want).max() / np.abs(want).max()
        self.assertGreater(apart, 0.01)

    def test_whole_gradient_is_the_derivative(self):
        whole = jax.jit(trn(PREDICT, TRN["predicted"]))
        derivative = np.float64(slope(trn(PREDICT, TRN["predicted"]), IMAGE))
        direction = derivative / np.sqrt(np.sum(derivative**2))
        h = 1e-2
        ends = (whole(np.float32(IMAGE + s * h * direction)) for s in (1, -1))
        up, down = (np.float64(WEIGHTS @ end) for end in ends)
        length = np.sqrt(np.sum(derivative**2))
        self.assertAlmostEqual((up - down) / (2 * h) / length, 1.0, delta=0.05)

    def test_identity_backward_pass(self):
        transform = restoration(PREDICT, TRN["predicted"])
        blind = behind(straight_through(transform), PREDICT)
        np.testing.assert_allclose(
            blind(IMAGE), trn(PREDICT, TRN["predicted"])(IMAGE), atol=1e-5
        )
        want = slope(PREDICT, transform(IMAGE))
        np.testing.assert_allclose(slope(blind, IMAGE), want, rtol=1e-3, atol=1e-5)

    def test_weights_are_leaves_and_equal_networks_share_a_program(self):
        one = trn(PREDICT, TRN["predicted"])
        model = TRN["predicted"]
        doubled = jax.tree.map(lambda x: 2 * x, model.variables)
        other = trn(PREDICT, models.Model(model.spec, doubled))
        self.assertEqual(jax.tree.structure(one), jax.tree.structure(other))
