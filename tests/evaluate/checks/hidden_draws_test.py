"""Draws by a hash of the image are found; smooth and rounding models are left alone."""

import functools

import pytest
from absl.testing import parameterized

from mspd_jax.attacks import eot
from mspd_jax.evaluate.checks._hidden_draws import check_hidden_draws
from tests.evaluate.checks import faulty_models, sound_models

checked = functools.partial(sound_models.checked, check_hidden_draws)


class HiddenDrawsTest(parameterized.TestCase):
    @parameterized.parameters("mlp", "linear", "jpeg_50+mlp", "bits_3+mlp")
    def test_a_sound_model_passes(self, name):
        check = checked(sound_models.sound(name))
        self.assertTrue(check.passed, check.measured)

    @parameterized.product(
        fault=("crop_by_coarse_image", "noise_by_coarse_image"), seed=(0, 1, 2)
    )
    def test_a_hash_of_the_image_is_found(self, fault, seed):
        predict = faulty_models.planted(fault, sound_models.sound("mlp"))
        check = checked(predict, seed, seed)
        self.assertIs(check.passed, False, check.measured)

    def test_a_linear_model_has_the_ratio_of_a_straight_path(self):
        check = checked(sound_models.sound("linear"))
        self.assertIn("of its steps 6 (steps of", check.measured)

    def test_what_is_random_anyway_is_not_measured(self):
        sound = sound_models.sound("mlp")
        host = faulty_models.planted("crop_by_host", sound)
        keyed = faulty_models.planted("crop_by_key", sound)
        for predict, reason in (
            (host, "change from call to call"),
            (eot(keyed, draws=2), "averaged draws"),
            (lambda x: sound(x) + float("nan"), "not finite"),
        ):
            check = checked(predict)
            self.assertIsNone(check.passed)
            self.assertIn(reason, check.measured)

    @parameterized.parameters(*sound_models.SOUND, *sound_models.DEFENDED)
    @pytest.mark.slow
    def test_no_false_alarm_in_twenty(self, name):
        # 28 models: 560 combinations of model, images and key.
        for number in range(10):
            for seed in (number, 10 + number):
                check = checked(sound_models.sound(name), seed, number)
                self.assertTrue(check.passed, check.measured)
