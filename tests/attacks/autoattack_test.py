"""AutoAttack on one image: the parts that a driver runs, and the worst of them."""

import functools
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import parameterized
from jax.tree_util import Partial

from mspd_jax import attacks
from mspd_jax.attacks import _autoattack
from mspd_jax.attacks._compose import average_draws

SHAPE = (4, 4, 2)
WEIGHTS = np.random.default_rng(1).normal(size=(4, 32)).astype(np.float32)
IMAGE = np.random.default_rng(0).uniform(size=SHAPE).astype(np.float32)
KEY = jax.random.key(3)
EPS = {"linf": 0.03, "l1": 0.5}
STEPS, QUERIES = 4, 12
COUNTS = {"steps": 7, "queries": 8}


def wave(weights, image):
    return weights @ jnp.sin(9.0 * image.reshape(-1))


def noisy(key, weights, image):
    noise = 0.01 * jax.random.normal(key, image.shape)
    return wave(weights, image + noise)


PREDICT = Partial(wave, jnp.array(WEIGHTS))
LABEL = int(np.argmax(PREDICT(IMAGE)))


def run(version, norm, eps, predict=PREDICT):
    attack = functools.partial(
        attacks.autoattack, norm=norm, version=version, steps=STEPS, queries=QUERIES
    )
    return jax.jit(lambda eps: attack(KEY, predict, IMAGE, LABEL, eps=eps))(eps)


class AutoAttackTest(parameterized.TestCase):
    def test_is_the_worst_of_the_parts_of_the_suite(self):
        self.check_worst_of_the_parts("linf")

    @pytest.mark.compiling
    def test_is_the_worst_of_the_parts_of_the_suite_in_l1(self):
        self.check_worst_of_the_parts("l1")

    def check_worst_of_the_parts(self, norm):
        eps = EPS[norm]
        counts = {"apgd-ce": STEPS, "apgd-t": STEPS, "fab-t": STEPS, "square": QUERIES}
        suite = attacks.SUITES["autoattack"](norm).attacks
        self.assertEqual(list(suite), list(counts))
        worst = (-np.inf, None)
        for place, (name, count) in enumerate(counts.items()):
            options = {attacks.ATTACKS[name].count: count}
            attack = attacks.resolve_attack(
                name, eps=eps, norm=norm, **suite[name] | options
            )
            alone = jax.jit(lambda attack, key: attack(key, PREDICT, IMAGE, LABEL))
            found = alone(attack, jax.random.fold_in(KEY, place)).image
            gap = float(attacks.margin(PREDICT(found), LABEL))
            worst = max(worst, (gap, place), key=lambda pair: pair[0])
            if worst[1] == place:
                image = found
        got = run("standard", norm, eps)
        np.testing.assert_allclose(got.loss, worst[0], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(got.image, image, atol=1e-5)

    def test_radius_decides(self):
        self.assertLess(run("standard", "linf", 0.0).loss, 0.0)
        self.assertGreater(run("standard", "linf", 0.3).loss, 0.0)

    def test_rand_averages_draws(self):
        predict = Partial(noisy, jax.random.key(1), jnp.array(WEIGHTS))
        got = run("rand", "linf", 0.03, predict)
        parts = tuple(
            average_draws(
                attacks.resolve_attack(name, eps=0.03, norm="linf", steps=STEPS),
                draws=20,
            )
            for name in ("apgd-ce", "apgd-dlr")
        )
        whole = attacks.worst_case(parts)
        want = jax.jit(lambda attack: attack(KEY, predict, IMAGE, LABEL))(whole)
        np.testing.assert_allclose(got.image, want.image, atol=1e-5)

    @parameterized.parameters("linf", "l1")
    def test_plus_runs_six_attacks_with_restarts(self, norm):
        want = [
            (attacks.apgd, {"steps": 7, "restarts": 5}),
            (attacks.apgd, {"steps": 7, "restarts": 5, "loss": attacks.dlr}),
            (attacks.fab, {"steps": 7, "restarts": 5}),
            (attacks.square, {"queries": 8}),
            (attacks.apgd_targeted, {"steps": 7, "targets": 9}),
            (attacks.fab_targeted, {"steps": 7, "targets": 9}),
        ]
        with mock.patch.object(_autoattack, "worst_case") as together:
            got = attacks.autoattack(
                KEY, PREDICT, IMAGE, LABEL, eps=0.1, norm=norm, version="plus", **COUNTS
            )
        (members,) = together.call_args.args
        found = [(m.func.func, m.func.keywords | m.keywords) for m in members]
        # All that the members are told: no option beside these.
        shared = {"eps": np.float32(0.1), "norm": norm}
        self.assertEqual(found, [(attack, shared | own) for attack, own in want])
        together.return_value.assert_called_once_with(KEY, PREDICT, IMAGE, LABEL)
        self.assertIs(got, together.return_value.return_value)

    def test_unknown_version(self):
        with self.assertRaisesRegex(ValueError, "must be one of standard, plus"):
            attacks.autoattack(KEY, PREDICT, IMAGE, 0, eps=0.1, version="best")
