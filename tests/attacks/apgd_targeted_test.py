"""Auto-PGD towards classes: which, in which order, on which loss; MALT's ranking."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from jax.tree_util import Partial

from mspd_jax.attacks import apgd_targeted, fooled, malt

SHAPE = (3, 3, 2)
SIZE = 18
IMAGE = np.random.default_rng(0).uniform(0.3, 0.7, SHAPE).astype(np.float32)
WEIGHTS = np.random.default_rng(1).normal(size=(5, SIZE)).astype(np.float32) * 3
KEY = jax.random.key(0)

STATIC = ("norm", "steps", "targets", "candidates", "restarts", "attempts")
run_targeted = jax.jit(
    apgd_targeted, static_argnames=[name for name in STATIC if name != "candidates"]
)
run_malt = jax.jit(malt, static_argnames=STATIC)


def linear(weights, image):
    return weights @ image.reshape(-1)


def host_dlr(logits, label, target):
    ranked = np.sort(np.asarray(logits, np.float64))[::-1]
    spread = ranked[0] - (ranked[2] + ranked[3]) / 2
    return (logits[target] - logits[label]) / spread


class TargetedTest(parameterized.TestCase):
    ORDER = [int(c) for c in np.argsort(-(WEIGHTS @ IMAGE.ravel()))]

    def attempt(self, number, label, **options):
        # So near that no logit overtakes another: the loss tells which class it is of.
        predict = Partial(linear, jnp.array(WEIGHTS))
        options = {"steps": 4, "attempts": 1, "first": number} | options
        return run_targeted(KEY, predict, IMAGE, label, eps=1e-3, **options)

    @parameterized.parameters(*range(5))
    def test_attempts_take_the_wrong_classes_by_rank(self, label):
        wrong = [c for c in self.ORDER if c != label]
        for number, want in enumerate([*wrong[:3], *wrong[:2]]):
            got = self.attempt(number, label, targets=3)
            logits = WEIGHTS @ np.asarray(got.image).ravel()
            of_class = [host_dlr(logits, label, c) for c in range(5)]
            near = np.flatnonzero(np.abs(of_class - np.asarray(got.loss)) < 1e-5)
            np.testing.assert_array_equal(near, [want])

    def test_more_targets_than_classes_take_all(self):
        label = self.ORDER[0]
        first, again = (self.attempt(n, label, targets=9).loss for n in (0, 4))
        self.assertNotAlmostEqual(
            float(first), float(self.attempt(1, label, targets=9).loss), places=4
        )
        # Attempt 4 aims at the class of attempt 0, from another start.
        self.assertAlmostEqual(float(first), float(again), places=3)

    def test_attempts_in_parts_are_the_whole(self):
        predict, label = Partial(linear, jnp.array(WEIGHTS)), self.ORDER[0]
        options = {"eps": 0.05, "steps": 4, "targets": 2}
        whole = run_targeted(KEY, predict, IMAGE, label, restarts=2, **options)
        parts = [
            run_targeted(KEY, predict, IMAGE, label, attempts=1, first=i, **options)
            for i in range(4)
        ]
        wrong = [bool(fooled(predict(part.image), label)) for part in parts]
        best = max(range(4), key=lambda i: (wrong[i], parts[i].loss))
        np.testing.assert_allclose(whole.image, parts[best].image, atol=1e-6)
        np.testing.assert_allclose(whole.loss, parts[best].loss, atol=1e-5)

    def test_reaches_its_class_and_any_wrong_class_counts(self):
        predict, label = Partial(linear, jnp.array(WEIGHTS)), self.ORDER[0]
        got = run_targeted(KEY, predict, IMAGE, label, eps=0.3, steps=20)
        self.assertGreater(got.loss, 0)
        self.assertNotEqual(int(jnp.argmax(predict(got.image))), label)


class MaltTest(parameterized.TestCase):
    # In every norm another class is nearest than that with the highest wrong logit.
    WEIGHTS = np.random.default_rng(24).normal(size=(5, SIZE)).astype(np.float32) * 3
    LABEL, *BY_LOGIT = (int(c) for c in np.argsort(-(WEIGHTS @ IMAGE.ravel())))

    def by_distance(self, norm):
        gaps = self.WEIGHTS[self.LABEL] - np.delete(self.WEIGHTS, self.LABEL, axis=0)
        dual = {"linf": 1, "l2": 2, "l1": np.inf}[norm]
        far = gaps @ IMAGE.ravel() / np.linalg.norm(gaps, dual, axis=1)
        return [int(c) for c in np.delete(np.arange(5), self.LABEL)[np.argsort(far)]]

    def aimed_at(self, number, norm, **options):
        predict = Partial(linear, jnp.array(self.WEIGHTS))
        options = {"steps": 4, "attempts": 1, "first": number, "norm": norm} | options
        got = run_malt(KEY, predict, IMAGE, self.LABEL, eps=1e-3, **options)
        logits = self.WEIGHTS @ np.asarray(got.image).ravel()
        of_class = [host_dlr(logits, self.LABEL, c) for c in range(5)]
        (near,) = np.flatnonzero(np.abs(of_class - np.asarray(got.loss)) < 1e-5)
        return int(near)

    @parameterized.parameters("linf", "l2", "l1")
    def test_nearest_class_comes_first(self, norm):
        want = self.by_distance(norm)
        self.assertNotEqual(want[0], self.BY_LOGIT[0])
        self.assertEqual([self.aimed_at(i, norm) for i in range(4)], want)

    def test_candidates_are_those_with_the_highest_logits(self):
        high = self.BY_LOGIT[:2]
        options = {"targets": 2, "candidates": 2}
        got = [self.aimed_at(i, "linf", **options) for i in range(2)]
        self.assertEqual(got, [c for c in self.by_distance("linf") if c in high])

    def test_same_classes_fool_the_same_images(self):
        predict = Partial(linear, jnp.array(self.WEIGHTS))
        for eps in (0.01, 0.03, 0.1):
            one, other = (
                attack(KEY, predict, IMAGE, self.LABEL, eps=eps, steps=20)
                for attack in (run_targeted, run_malt)
            )
            found = [bool(fooled(predict(x.image), self.LABEL)) for x in (one, other)]
            self.assertEqual(found[0], found[1])

    def test_what_cannot_be(self):
        predict = Partial(linear, jnp.array(self.WEIGHTS))
        with self.assertRaisesRegex(ValueError, "candidates must be"):
            malt(KEY, predict, jnp.array(IMAGE), 0, eps=0.1, candidates=0)
