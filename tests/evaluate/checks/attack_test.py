"""Checks of attacks on a model: silent on sound ones, masked gradients are caught."""

from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import parameterized
from jax import lax

from mspd_jax.attacks import ATTACKS, Attack, Proposal, margin, project
from mspd_jax.evaluate import check_attack, failed_lines
from tests.evaluate import digit_models
from tests.evaluate.checks import faulty_models

NAMES = ["monotone in eps", "huge eps", "doubled steps", "black box"]
EPS = {"linf": digit_models.EPS, "l2": 1.0, "l1": 3.0}


def search(key, predict, image, label, *, eps, norm, queries):
    """Random search: some pixels to the border of the ball, kept if it helps."""

    def query(number, best):
        pick_key, sign_key = jax.random.split(jax.random.fold_in(key, number))
        sign = jax.random.rademacher(sign_key, image.shape, dtype=jnp.float32)
        chosen = jax.random.bernoulli(pick_key, 0.2, image.shape)
        x = jnp.where(chosen, image + eps * sign, best[0])
        x = project(x, image, eps=eps, norm=norm)
        value = margin(predict(x), label)
        better = value > best[1]
        return jnp.where(better, x, best[0]), jnp.where(better, value, best[1])

    start = (image, jnp.float32(-jnp.inf))
    return Proposal(*lax.fori_loop(0, queries, query, start))


SEARCH = {
    "square": Attack(search, ("linf", "l2", "l1"), scores_only=True, count="queries")
}


def checked(predict, norm="linf", seed=0, data=None, **options):
    images, labels = digit_models.digits() if data is None else data
    options = {"eps": EPS.get(norm, 0.1)} | options
    with mock.patch.dict(ATTACKS, SEARCH):
        return check_attack(
            jax.random.key(seed), predict, images, labels, norm=norm, **options
        )


def failed(checks):
    return {check.name for check in checks if check.passed is False}


SOUND = [
    ("plain", "linf"),
    ("adversarial", "linf"),
    ("mlp", "linf"),
    ("mlp", "l2"),
    ("mlp", "l1"),
]


class SilenceTest(parameterized.TestCase):
    @parameterized.parameters(*SOUND)
    def test_all_checks_pass_on_a_sound_model(self, name, norm):
        self.check_silent(name, norm, seeds=range(2))

    @parameterized.parameters(*SOUND)
    @pytest.mark.compiling
    def test_all_checks_pass_on_a_sound_model_for_other_draws(self, name, norm):
        self.check_silent(name, norm, seeds=range(2, 10))

    def check_silent(self, name, norm, seeds):
        images, labels = digit_models.digits("test", 320)
        for seed in seeds:
            rows = slice(32 * seed, 32 * seed + 32)
            data = images[rows], labels[rows]
            checks = checked(digit_models.honest(name), norm, seed, data)
            self.assertEqual([c.name for c in checks], NAMES)
            self.assertEqual({c.passed for c in checks}, {True}, failed_lines(checks))

    def test_new_eps_and_weights_do_not_compile_again(self):
        traces = []
        weights = digit_models.mlp().args[0]

        def counted(weights, image):
            traces.append(1)
            return digit_models.mlp_logits(weights, image)

        for factor, eps in ((1.0, 0.1), (0.9, 0.07)):
            scaled = jax.tree.map(lambda w, factor=factor: factor * w, weights)
            checked(jax.tree_util.Partial(counted, scaled), eps=eps)
            if factor == 1.0:
                before = len(traces)
        self.assertLen(traces, before)


class FaultTest(parameterized.TestCase):
    @parameterized.parameters(
        ("quantizing", "black box"),
        ("concealing", "black box"),
        ("detached_main", "black box"),
        ("saturating", "huge eps"),
    )
    def test_masked_gradient_gets_nowhere(self, name, other):
        predict = faulty_models.planted(name, digit_models.honest("mlp"))
        self.assertContainsSubset({"huge eps", other}, failed(checked(predict)))

    def test_overshooting_is_caught(self):
        # Misclassified only within .004 of gray, .0625 away. At eps = .2 and 20 steps
        # a step is .025, and iterates come no closer than .0125; half as long, they do.
        def target(image):
            return jnp.stack([jnp.mean(jnp.abs(image - 0.5)), 0.004])

        images = np.full((8, 4, 4, 1), 0.4375, np.float32)
        checks = checked(target, data=(images, np.zeros(8, np.int32)), eps=0.2)
        self.assertContainsSubset({"monotone in eps", "doubled steps"}, failed(checks))
        self.assertIn("8 of 8 images fall to 40 steps, 0 to 20", checks[2].measured)
        shown = "100.0% at 0, 0.0% at 0.1, 100.0% at 0.2, 100.0% at 0.4"
        self.assertEqual(checks[0].measured, shown)

    def test_unknown_norm(self):
        with self.assertRaisesRegex(ValueError, "norm must be one of"):
            checked(digit_models.honest("mlp"), norm="l0")
