"""Checks of a model: silent on sound ones, each planted fault caught by its name."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from jax.tree_util import Partial

from mspd_jax.attacks import bpda, eot
from mspd_jax.evaluate import check_model, failed_lines
from tests.evaluate import digit_models
from tests.evaluate.checks import faulty_models

NAMES = [
    "randomized",
    "hidden draws",
    "logits",
    "gradients",
    "sign coherence",
    "gradient is the derivative",
    "saturated pixels",
    "batch mates",
    "input scale",
    "clean accuracy",
]
DERIVATIVE, COHERENCE = "gradient is the derivative", "sign coherence"
# All checks that fail: no fault sets off what has nothing to do with it.
EXACTLY = {
    "quantizing": {"gradients"},
    "saturating": {"gradients"},
    "probabilities": {"logits"},
    "detached": {"gradients"},
    "detached_main": {DERIVATIVE},
    "detached_below": {DERIVATIVE},
    "concealing": {DERIVATIVE, COHERENCE},
    "straight_rounding": {DERIVATIVE},
    "overflowing": {"gradients"},
    "clipped": {"saturated pixels"},
    "dark_clipped": {"saturated pixels"},
}
# Faults of which accuracy or gradients suffer as well, more or less by chance.
AT_LEAST = {
    "crop_by_key": {"randomized"},
    "crop_by_image": {"randomized"},
    "crop_by_host": {"randomized"},
    "crop_by_coarse_image": {"hidden draws"},
    "noise_by_coarse_image": {"hidden draws"},
    "normalized": {"input scale"},
}


def checked(predict, seed=0, **options):
    images, labels = digit_models.digits()
    return check_model(jax.random.key(seed), predict, images, labels, **options)


def failed(checks):
    return {check.name for check in checks if check.passed is False}


def measured(checks, name):
    return next(check for check in checks if check.name == name).measured


@functools.cache
def faulty(name):
    return checked(faulty_models.planted(name, digit_models.honest("plain")))


class SilenceTest(parameterized.TestCase):
    @parameterized.parameters(*digit_models.HONEST)
    def test_all_checks_pass_on_a_sound_model(self, name):
        # Every share is far from its threshold (see the margins below), so that other
        # draws and images do not matter: ten of them.
        images, labels = digit_models.digits("test", 320)
        for seed in range(10):
            rows = slice(32 * seed, 32 * seed + 32)
            key, predict = jax.random.key(seed), digit_models.honest(name)
            checks = check_model(key, predict, images[rows], labels[rows])
            self.assertEqual([c.name for c in checks], NAMES)
            self.assertEqual({c.passed for c in checks}, {True}, failed_lines(checks))

    def test_a_very_confident_model_is_sound(self):
        # Probabilities of the label round to 1, the loss to 0: the margin does not.
        weights = digit_models.mlp().args[0]
        sure = Partial(digit_models.mlp_logits, (weights[0], 3 * weights[1]))
        images, _ = digit_models.digits()
        most = jnp.max(jax.nn.softmax(jax.vmap(sure)(images)), axis=1)
        self.assertGreater(np.mean(most == 1.0), 0.3)
        self.assertEmpty(failed(checked(sure)))

    def test_a_plain_function_will_do(self):
        predict = digit_models.honest("mlp")
        self.assertEmpty(failed(checked(lambda image: predict(image))))

    def test_new_weights_do_not_compile_again(self):
        traces = []

        def counted(weights, image):
            traces.append(1)
            return digit_models.mlp_logits(weights, image)

        weights = digit_models.mlp().args[0]
        checked(Partial(counted, weights))
        before = len(traces)
        checked(Partial(counted, jax.tree.map(lambda w: 0.9 * w, weights)), seed=1)
        self.assertEqual((before > 0, len(traces)), (True, before))


class FaultTest(parameterized.TestCase):
    @parameterized.parameters(*EXACTLY)
    def test_planted_fault_sets_off_its_check_and_no_other(self, name):
        self.assertEqual(failed(faulty(name)), EXACTLY[name])

    @parameterized.parameters(*AT_LEAST)
    def test_planted_fault_sets_off_its_check(self, name):
        self.assertContainsSubset(AT_LEAST[name], failed(faulty(name)))

    def test_batch_norm_in_training_mode(self):
        checks = checked(faulty_models.training_mode(digit_models.network()))
        self.assertEqual(failed(checks), {"batch mates"})

    def test_measured_says_which_kind_of_randomness(self):
        for name, words in (
            ("crop_by_key", "the model holds random keys"),
            ("crop_by_host", "other logits at each call"),
            ("crop_by_image", "the same logits twice, a change of 1e-05 moves them"),
        ):
            self.assertIn(words, measured(faulty(name), "randomized"))

    def test_averaged_draws_are_no_fault(self):
        random = faulty_models.planted("crop_by_key", digit_models.honest("mlp"))
        checks = checked(eot(random, draws=20), clean_gate=0.0)
        self.assertNotIn("randomized", failed(checks))
        self.assertIn("20 draws are averaged", measured(checks, "randomized"))
        self.assertNotIn(DERIVATIVE, failed(checks))

    def test_bpda_is_reported_as_what_it_is(self):
        sound = digit_models.honest("mlp")
        steps = faulty_models.planted("quantizing", sound)
        self.assertEqual(failed(checked(bpda(steps, backward=sound))), {DERIVATIVE})

    def test_bad_arguments(self):
        images, labels = digit_models.digits()
        for x, y in ((images[0], labels[:1]), (images[:1], labels[:1]), (images, [1])):
            with self.assertRaisesRegex(ValueError, "at least 2 images and as many"):
                check_model(jax.random.key(0), digit_models.honest("mlp"), x, y)
