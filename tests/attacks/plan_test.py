"""Lists of attacks as stages: suites, attempts, transfer; and what is refused."""

from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from jax.tree_util import Partial

from mspd_jax.attacks import (
    ATTACKS,
    Attack,
    Proposal,
    View,
    known_attacks,
    margin,
    pgd,
    plan_attacks,
)
from mspd_jax.errors import InputError

IMAGE = np.random.default_rng(0).uniform(size=(3, 3, 1)).astype(np.float32)


def linear(weights, image):
    return image.reshape(-1) @ weights


def rugged(weights, image):
    return jnp.sin(40.0 * (image.reshape(-1) @ weights))


def model(seed):
    return Partial(linear, jax.random.normal(jax.random.key(seed), (9, 4)))


def probe(key, predict, image, label, *, eps, norm):
    """Proposes what the model that it runs against says of the image."""
    del key, label, eps, norm
    return Proposal(jnp.zeros_like(image) + predict(image)[0], jnp.float32(0.0))


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
        want = {
            "apgd-ce": 5,
            "apgd-dlr": 5,
            "fab": 5,
            "square": 1,
            "apgd-t": 9,
            "fab-t": 9,
        }
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
        self.assertEqual(attack.view, "transfer")
        key = jax.random.key(0)
        got = attack.parts[0](key, target, IMAGE, 1)
        want = pgd(key, surrogate, IMAGE, 1, eps=0.1, steps=5)
        np.testing.assert_array_equal(got.image, want.image)
        np.testing.assert_allclose(got.loss, margin(target(got.image), 1), rtol=1e-6)

    def test_a_whole_suite_transfers(self):
        names = list(plan("transfer:autoattack,fgsm", surrogate=model(0)))
        self.assertEqual(names[0], "transfer:apgd-ce")
        self.assertEqual(names[-1], "fgsm")


class ViewsTest(parameterized.TestCase):
    def test_an_attack_runs_against_the_view(self):
        target, other = model(2), model(1)
        views = {"static": View(other, False)}
        staged = plan("static:pgd-5,pgd-5", views=views)
        self.assertEqual([s.view for s in staged.values()], ["static", ""])
        key = jax.random.key(0)
        got = staged["static:pgd-5"].parts[0](key, target, IMAGE, 1)
        want = pgd(key, other, IMAGE, 1, eps=0.1, steps=5)
        np.testing.assert_array_equal(got.image, want.image)
        # Judged on the model itself.
        np.testing.assert_allclose(got.loss, margin(target(got.image), 1), rtol=1e-6)

    def test_scores_are_not_asked_twice(self):
        views = {"bpda": View(model(0), True), "static": View(model(1), False)}
        names = "bpda:autoattack,static:autoattack,bpda:pgd,bpda:square"
        got = list(plan(names, views=views))
        moved = ["apgd-ce", "apgd-t", "fab-t", "square"]
        want = [f"bpda:{name}" for name in moved[:3]]
        want += [f"static:{name}" for name in moved] + ["bpda:pgd"]
        self.assertEqual(got, want)

    def test_a_random_view_draws_anew_for_each_key(self):
        def noisy(key, weights, image):
            return linear(weights, image) + jax.random.normal(key, (4,))

        predict = Partial(noisy, jax.random.key(0), model(0).args[0])
        views = {"eot": View(predict, False)}
        with mock.patch.dict(ATTACKS, probe=Attack(probe, ("linf",))):
            part = plan("eot:probe", views=views)["eot:probe"].parts[0]
        seen = [part(jax.random.key(n), predict, IMAGE, 1).image for n in (1, 1, 2)]
        np.testing.assert_array_equal(seen[0], seen[1])
        self.assertGreater(np.max(np.abs(seen[0] - seen[2])), 0.01)


class RefusalTest(parameterized.TestCase):
    @parameterized.parameters(
        ("autoattack,square", "'square' is named twice"),
        ("transfer:pgd", "needs a surrogate"),
        ("bpda:pgd", "no view 'bpda' of this model; a defense has views"),
        ("autoatack", "unknown attack 'autoatack': choose from .*autoattack"),
        ("pgd,", "unknown attack ''"),
        ("autoattack-5", "unknown attack 'autoattack-5'"),
    )
    def test_what_cannot_be(self, names, message):
        with self.assertRaisesRegex(InputError, message):
            plan(names)

    @parameterized.parameters(
        ("eot:pgd", "'eot:pgd': there is no view 'eot' .* choose from bpda, static"),
        ("static:bpda:pgd", "no view 'static:bpda'"),
        ("bpda:pdg", "unknown attack 'pdg'"),
        ("bpda:square,bpda:spsa", "name them without a view"),
        ("static:fgsm,static:fgsm", "'static:fgsm' is named twice"),
    )
    def test_views_that_cannot_be(self, names, message):
        views = {"bpda": View(model(0), True), "static": View(model(1), False)}
        with self.assertRaisesRegex(InputError, message):
            plan(names, views=views)

    def test_norm(self):
        with self.assertRaisesRegex(InputError, "fgsm.* is defined for `norm`=linf"):
            plan("fgsm", norm="l1")

    def test_none_is_empty(self):
        self.assertEqual(plan("none"), {})
        self.assertIn("autoattack-rand", known_attacks())
