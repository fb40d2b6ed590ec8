"""What training of a restoration network lowers: formula, learning, refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import parameterized
from jax.tree_util import Partial
from scipy import special

from mspd_jax import attacks, models, train
from mspd_jax.defenses import gradient_map

RNG = np.random.default_rng(0)
IMAGES = RNG.random((5, 4, 4, 1), np.float32)
CHANGED = np.clip(IMAGES + 0.1 * RNG.standard_normal(IMAGES.shape), 0, 1)
CHANGED = CHANGED.astype(np.float32)
LABELS = np.asarray([0, 2, 1, 1, 2], np.int32)
WEIGHTS = RNG.standard_normal((16, 3)).astype(np.float32)


def linear(weights, image):
    return image.reshape(-1) @ weights


PREDICT = Partial(linear, jnp.asarray(WEIGHTS))
MIX = train.make_mix({"clean": 0.5, "fgsm": 0.5}, eps=[0.1], steps=1)


class ObjectiveTest(parameterized.TestCase):
    @parameterized.parameters(("predicted", 1), ("all", 3))
    def test_formula(self, rule, maps):
        mixing = RNG.standard_normal(1 + maps).astype(np.float32)

        def forward(stats, told):
            return told @ mixing[:, None], {"seen": stats["seen"] + 1}

        chosen = train.restoration_objective(PREDICT, MIX, rule=rule, ce_weight=0.3)
        loss, signals = chosen.loss(
            forward, {"seen": 0}, jnp.asarray(IMAGES), jnp.asarray(CHANGED), LABELS
        )
        read = [np.asarray(gradient_map(PREDICT, x, rule=rule)) for x in CHANGED]
        told = np.concatenate([CHANGED, np.stack(read)], -1).astype(np.float64)
        restored = (told @ mixing[:, None]).clip(0, 1)
        logits = restored.reshape(5, -1) @ WEIGHTS
        log_p = special.log_softmax(logits, axis=-1)[np.arange(5), LABELS]
        want = np.abs(restored - IMAGES).mean() - 0.3 * log_p.mean()
        np.testing.assert_allclose(loss, want, rtol=1e-5)
        np.testing.assert_allclose(signals.robust, logits, atol=1e-4)
        self.assertEqual(signals.batch_stats, {"seen": 1})

    @parameterized.parameters("predicted", "softmax")
    def test_an_adaptive_attacker_knows_of_the_network(self, rule):
        mix = train.make_mix({"bim": 1.0}, eps=[0.1], steps=3)
        options = {"rule": rule, "ce_weight": 0.3}
        mixing = jnp.asarray([[-1.0], [0.3]])  # turns the image round

        def network(told):
            return 0.5 + (told - 0.5) @ mixing

        def behind(image):
            maps = jax.lax.stop_gradient(gradient_map(PREDICT, image, rule=rule))
            told = jnp.concatenate([image, maps], axis=-1)
            return PREDICT(jnp.clip(network(told), 0.0, 1.0))

        attack = attacks.resolve_attack("bim-3", eps=0.1, norm="linf")
        key = jax.random.key(0)
        for attacker, victim in (("adaptive", behind), ("unaware", PREDICT)):
            chosen = train.restoration_objective(
                PREDICT, mix, attacker=attacker, **options
            )
            for image, label in zip(IMAGES, LABELS, strict=True):
                got = chosen.adversary(key, network, image, label)
                want = attack(key, victim, image, label).image
                np.testing.assert_allclose(got, want, atol=1e-6)

    def test_an_unknown_attacker_is_refused(self):
        with self.assertRaisesRegex(ValueError, "`attacker` must be one of"):
            train.restoration_objective(
                PREDICT, MIX, rule="all", ce_weight=0.1, attacker="blind"
            )

    @parameterized.parameters(
        ("true", 0.1, "`rule` must be one of"),
        ("uniform", -0.1, "`ce_weight` must not be negative"),
        ("uniform", np.nan, "`ce_weight` must not be negative"),
    )
    def test_refusals(self, rule, weight, message):
        with self.assertRaisesRegex(ValueError, message):
            train.restoration_objective(PREDICT, MIX, rule=rule, ce_weight=weight)

    @pytest.mark.slow
    def test_it_learns_to_take_a_perturbation_away(self):
        spec = models.ModelSpec(
            architecture="trn",
            options={"width": 4, "stages": 1, "blocks": 1, "shrink": 1},
            mean=(0.0,),
            std=(1.0,),
            num_classes=0,
            image_shape=(4, 4, 1),
            origin={},
        )
        mix = train.make_mix({"fgsm": 1.0}, eps=[0.4], steps=1)
        chosen = train.restoration_objective(
            PREDICT, mix, rule="predicted", ce_weight=1.0
        )
        images = np.random.default_rng(1).random((64, 4, 4, 1), np.float32)
        labels = np.argmax(images.reshape(64, -1) @ WEIGHTS, axis=-1)
        model = train.fit(
            jax.random.key(0),
            spec,
            images,
            labels,
            objective=chosen,
            optimizer=train.optimizer(
                "adamw", learning_rate=1e-2, weight_decay=0.0, clip=None
            ),
            epochs=30,
            batch_size=32,
        )
        network = models.map_restorer(model)

        def right(x, y):
            bad = chosen.adversary(jax.random.key(0), None, x, y)
            told = jnp.concatenate(
                [bad, gradient_map(PREDICT, bad, rule="predicted")], axis=-1
            )
            return jnp.argmax(PREDICT(bad)) == y, jnp.argmax(
                PREDICT(network(told))
            ) == y

        before, after = jax.vmap(right)(images, labels)
        self.assertLess(float(before.mean()), 0.3)
        self.assertGreater(float(after.mean()), float(before.mean()) + 0.4)
