"""The whole of an evaluation as a function."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import absltest
from jax.tree_util import Partial

from mspd_jax import data
from mspd_jax.attacks import View
from mspd_jax.errors import InputError
from mspd_jax.evaluate import assess

IMAGES = 24


def linear(weights, image):
    return 20.0 * image.reshape(-1) @ weights


def masked(weights, image):
    """The same model, whose gradient says nothing."""
    hidden = jax.lax.stop_gradient(image) + 0.0 * image
    return linear(weights, hidden)


def problem(function):
    weights = jax.random.normal(jax.random.key(0), (16, 3))
    images = np.asarray(jax.random.uniform(jax.random.key(1), (IMAGES, 4, 4, 1)))
    labels = np.argmax(images.reshape(IMAGES, -1) @ np.asarray(weights), axis=1)
    return Partial(function, weights), data.from_arrays(images, labels)


def run(function, attack, **options):
    settings = {"eps": 0.05, "batch_size": 8, "check_images": 16} | options
    return assess(jax.random.key(2), *problem(function), attack=attack, **settings)


class AssessTest(absltest.TestCase):
    def test_an_honest_model_gives_a_reliable_number(self):
        found = run(linear, "pgd-10,square-100")
        self.assertTrue(found.summary["reliable"], found.summary["warnings"])
        self.assertEqual(found.summary["warnings"], [])
        self.assertEqual(found.summary["clean_accuracy"], 1.0)
        # Exact: a linear model falls iff a margin is below eps times an l1 norm.
        predict, source = problem(linear)
        weights = np.asarray(predict.args[0], np.float64)
        standing = 0
        for position in range(IMAGES):
            record = source.read(position)
            x, y = record.image.ravel().astype(np.float64), record.label
            worst = []
            for other in {0, 1, 2} - {y}:
                gap = weights[:, y] - weights[:, other]
                lowest = np.where(gap > 0, np.maximum(x - 0.05, 0), x + 0.05)
                worst.append(np.minimum(lowest, 1) @ gap)
            standing += min(worst) > 0
        self.assertBetween(standing, 1, IMAGES - 1)
        self.assertEqual(found.summary["robust_accuracy"], standing / IMAGES)
        json.dumps(found.summary)  # plain values all through

    def test_a_masked_gradient_makes_the_number_unreliable(self):
        found = run(masked, "pgd-10,square-100")
        self.assertFalse(found.summary["reliable"])
        failed = {c.name for c in found.checks if c.passed is False}
        self.assertContainsSubset({"gradients", "black box beats white box"}, failed)
        self.assertIn("unreliable: gradients", found.summary["warnings"][0])
        json.dumps(found.summary)

    def test_a_claim_stands_beside_the_worst_case(self):
        predict, _ = problem(linear)
        views = {"bpda": View(predict, True)}
        options = {"views": views, "check_images": 0}
        names = "bpda:pgd-10,square-20,pgd-10"
        found = run(masked, names, claim="", **options)
        summary = found.summary
        # Its attacks run first, whatever the list says, so that its number is exact.
        self.assertEqual(
            list(summary["attacks"]), ["pgd-10", "bpda:pgd-10", "square-20"]
        )
        alone = run(masked, "pgd-10", **options).summary
        for kind in ("accuracy", "interval"):
            self.assertEqual(summary[f"claimed_{kind}"], alone[f"robust_{kind}"])
        self.assertNotIn("claimed_accuracy", alone)
        direct = run(linear, "pgd-10", check_images=0).summary
        self.assertEqual(summary["robust_accuracy"], direct["robust_accuracy"])
        self.assertLess(summary["robust_accuracy"], summary["claimed_accuracy"] - 0.2)
        keys = list(summary)
        place = keys.index("robust_accuracy")
        want = ["robust_interval", "claimed_accuracy", "claimed_interval", "attacks"]
        self.assertEqual(keys[place + 1 : place + 5], want)

    def test_given_images_count_for_no_claim(self):
        _, source = problem(linear)
        black = np.zeros((IMAGES, 4, 4, 1), np.float32)
        options = {
            "given": data.from_arrays(black, np.zeros(IMAGES, np.int64)),
            "eps": 1.0,
            "check_images": 0,
        }
        found = run(masked, "fgsm", claim="", **options)
        self.assertEqual(list(found.summary["attacks"]), ["fgsm", "given"])
        self.assertLess(
            found.summary["robust_accuracy"], found.summary["claimed_accuracy"]
        )
        # Nothing of what was named is in the claimed setting.
        found = run(masked, "fgsm", claim="static", **options)
        self.assertEqual(list(found.summary["attacks"]), ["given", "fgsm"])
        self.assertNotIn("claimed_accuracy", found.summary)

    def test_a_run_in_which_nobody_knows_of_the_defense_says_so(self):
        predict, source = problem(linear)
        views = {"bpda": View(predict, True), "static": View(predict, False)}

        def told(attack, claim):
            found = assess(
                jax.random.key(0),
                predict,
                source,
                attack=attack,
                eps=0.05,
                batch_size=8,
                check_images=0,
                views=views,
                claim=claim,
            )
            return ["adapts to the defense" in w for w in found.summary["warnings"]]

        self.assertEqual(told("static:fgsm", "static"), [True])
        self.assertEqual(told("fgsm", ""), [True])
        for attack, claim in (
            ("static:fgsm,fgsm", "static"),
            ("fgsm,bpda:fgsm", ""),
            ("fgsm", None),
        ):
            self.assertEqual(told(attack, claim), [])

    @pytest.mark.compiling
    def test_averaged_draws_are_looked_at_as_such(self):
        def noisy(key, weights, image):
            return linear(weights, image) + jax.random.normal(key, (3,))

        predict, source = problem(linear)
        predict = Partial(noisy, jax.random.key(0), *predict.args)

        def outcome(attack):
            found = assess(
                jax.random.key(0),
                predict,
                source,
                attack=attack,
                eps=0.05,
                batch_size=8,
                check_images=4,
                views={"eot": View(predict, False)},
            )
            told = {c.name: c.passed for c in found.checks}
            self.assertEqual(found.examined, found.checks[: len(found.examined)])
            return told["randomized"]

        self.assertFalse(outcome("fgsm"))
        self.assertTrue(outcome("fgsm,eot:fgsm"))

    def test_what_is_no_model_is_named(self):
        predict, source = problem(linear)
        for broken, shape in ((lambda x: x, r"\(4, 4, 1\)"), (jnp.sum, r"\(\)")):
            with self.assertRaisesRegex(InputError, f"it gave {shape}"):
                assess(
                    jax.random.key(0),
                    broken,
                    source,
                    attack="fgsm",
                    eps=0.1,
                )
        few = data.from_arrays(np.zeros((1, 4, 4, 1)), np.array([3]))
        with self.assertRaisesRegex(InputError, "labels up to 3"):
            assess(jax.random.key(0), predict, few, attack="fgsm", eps=0.1)


if __name__ == "__main__":
    absltest.main()
