"""A model that changes while it is evaluated is found."""

import jax
import numpy as np
import pytest
from absl.testing import parameterized

from mspd_jax import data
from mspd_jax.evaluate import assess
from mspd_jax.evaluate.checks._constancy import check_constancy
from mspd_jax.evaluate.checks._programs import subject
from tests.evaluate.checks import faulty_models, sound_models


class ConstancyTest(parameterized.TestCase):
    def test_a_sound_model_answers_alike(self):
        about = subject(sound_models.sound("mlp"), *sound_models.batch(0))
        check = check_constancy(about)
        self.assertTrue(check.passed, check.measured)
        self.assertIn("before by 0 of their spread", check.measured)

    @parameterized.parameters((2, False), (2000, True))
    def test_a_count_of_calls(self, limit, passes):
        predict, _ = faulty_models.counting(sound_models.sound("mlp"), limit)
        about = subject(predict, *sound_models.batch(0))  # two calls
        check = check_constancy(about)
        self.assertEqual(check.passed, passes, check.measured)

    def test_a_state_on_the_host_that_is_compiled_in(self):
        sound, state = sound_models.sound("mlp"), {"sign": 1.0}
        about = subject(lambda x: state["sign"] * sound(x), *sound_models.batch(0))
        self.assertTrue(check_constancy(about).passed)
        state["sign"] = -1.0
        check = check_constancy(about)
        self.assertIs(check.passed, False)
        self.assertIn("before by 0 of their spread", check.measured)

    def test_a_model_that_draws_at_each_call_is_not_measured(self):
        random = faulty_models.planted("crop_by_host", sound_models.sound("mlp"))
        check = check_constancy(subject(random, *sound_models.batch(0)))
        self.assertIsNone(check.passed)

    def test_an_evaluation_during_which_the_model_changes(self):
        images, labels = sound_models.batch(0)
        source = data.from_arrays(images[:4], np.asarray(labels[:4], np.int64))

        def evaluated(limit):
            predict, calls = faulty_models.counting(sound_models.sound("mlp"), limit)
            found = assess(
                jax.random.key(0),
                predict,
                source,
                attack="fgsm",
                eps=0.01,
                check_images=4,
                batch_size=4,
            )
            failed = {c.name for c in found.checks if c.passed is False}
            return failed, found.summary, calls()

        failed, summary, calls = evaluated(10**9)
        self.assertNotIn("constant answers", failed)
        names = [check["name"] for check in summary["reliability"]]
        self.assertEqual(names.count("constant answers"), 1)
        # The last three calls: by the attack and its judge, and by the check itself.
        failed, summary, _ = evaluated(calls - 3)
        self.assertIn("constant answers", failed)
        self.assertFalse(summary["reliable"])

    @parameterized.parameters(*sound_models.SOUND, *sound_models.DEFENDED)
    @pytest.mark.compiling
    def test_no_false_alarm_in_ten(self, name):
        # 28 models: 280 combinations of model and images.
        for number in range(10):
            about = subject(sound_models.sound(name), *sound_models.batch(number))
            check = check_constancy(about)
            self.assertTrue(check.passed, check.measured)
