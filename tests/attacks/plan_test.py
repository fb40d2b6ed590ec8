"""Lists of attacks as stages: suites, attempts, transfer; and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from jax.tree_util import Partial

from mspd_jax.attacks import known_attacks, margin, pgd, plan_attacks
from mspd_jax.errors import InputError

IMAGE = np.random.default_rng(0).uniform(size=(3, 3, 1)).astype(np.float32)


def linear(weights, image):
    return image.reshape(-1) @ weights


def rugged(weights, image):
    return jnp.sin(40.0 * (image.reshape(-1) @ weights))


def model(seed):
    return Partial(linear, jax.random.normal(jax.random.key(seed), (9, 4)))


def plan(names, norm="linf", classes=10, **options):
    return plan_attacks(names, eps=0.1, norm=norm, num_classes=classes, **options)


class SuitesTest(parameterized.TestCase):
    @parameterized.parameters(
        ("linf", {"apgd-ce": 1, "apgd-t": 9, "fab-t": 9, "square": 1}),
        ("l2", {"apgd-ce": 1, "apgd-t": 9, "fab-t": 9, "square": 1}),
        ("l1", {"apgd-ce": 5, "apgd-t": 5, "fab-t": 9, "square": 1}),
    )
    def test_standard(self, norm, attempts):
        got = {n: len(a.parts) for n, a in plan("autoattack", norm).items()}
        self.assertEqual(got, attempts)
        self.assertEqual(list(got), list(attempts))

    def test_plus_and_rand(self):
        got = {n: len(a.parts) for n, a in plan("autoattack-plus").items()}
        want = {"apgd-ce": 5, "apgd-dlr": 5, "fab": 5, "square": 1, "apgd-t": 9,
                "fab-t": 9}  # fmt: skip
        self.assertEqual(got, want)
        rand = plan("autoattack-rand")
        self.assertEqual(list(rand), ["apgd-ce", "apgd-dlr"])
        self.assertIn("'draws': 20", str(rand["apgd-ce"].parts[0].func.keywords))

    def test_few_classes_have_few_targets(self):
        self.assertLen(plan("autoattack", classes=4)["apgd-t"].parts, 3)

    def test_parts_compile_once(self):
        for name, attack in plan("autoattack,pgd-3x4").items():
            self.assertLen({str(jax.tree.structure(p)) for p in attack.parts}, 1, name)

    def test_black_boxes_are_known(self):
        got = {n: a.scores_only for n, a in plan("square,spsa,pgd").items()}
        self.assertEqual(got, {"square": True, "spsa": True, "pgd": False})


class PartsTest(parameterized.TestCase):
    def test_parts_are_the_attempts_of_the_whole(self):
        key = jax.random.key(1)
        predict = Partial(rugged, model(0).args[0])
        parts = plan("pgd-1x4", classes=4)["pgd-1x4"].parts
        self.assertLen(parts, 4)
        losses = [part(key, predict, IMAGE, 2).loss for part in parts]
        whole = pgd(key, predict, IMAGE, 2, eps=0.1, steps=1, restarts=4)
        self.assertGreater(len(set(map(float, losses))), 1)
        np.testing.assert_allclose(max(losses), whole.loss, rtol=1e-6)

    def test_transfer_asks_the_surrogate(self):
        surrogate, target = model(1), model(2)
        attack = plan("transfer:pgd-5", surrogate=surrogate)["transfer:pgd-5"]
        self.assertTrue(attack.transfer)
        key = jax.random.key(0)
        got = attack.parts[0](key, target, IMAGE, 1)
        want = pgd(key, surrogate, IMAGE, 1, eps=0.1, steps=5)
        np.testing.assert_array_equal(got.image, want.image)
        np.testing.assert_allclose(got.loss, margin(target(got.image), 1), rtol=1e-6)

    def test_a_whole_suite_transfers(self):
        names = list(plan("transfer:autoattack,fgsm", surrogate=model(0)))
        self.assertEqual(names[0], "transfer:apgd-ce")
        self.assertEqual(names[-1], "fgsm")


class RefusalTest(parameterized.TestCase):
    @parameterized.parameters(
        ("autoattack,square", "'square' is named twice"),
        ("transfer:pgd", "needs a surrogate"),
        ("autoatack", "unknown attack 'autoatack': choose from .*autoattack"),
        ("pgd,", "unknown attack ''"),
        ("autoattack-5", "unknown attack 'autoattack-5'"),
    )
    def test_what_cannot_be(self, names, message):
        with self.assertRaisesRegex(InputError, message):
            plan(names)

    def test_norm(self):
        with self.assertRaisesRegex(InputError, "fgsm.* is defined for --norm=linf"):
            plan("fgsm", norm="l1")

    def test_none_is_empty(self):
        self.assertEqual(plan("none"), {})
        self.assertIn("autoattack-rand", known_attacks())
