"""A clip of the input is found; black images, ReLU and pooling are left alone."""

import functools

import jax
import jax.numpy as jnp
import pytest
from absl.testing import parameterized

from mspd_jax.evaluate.checks._saturation import check_saturation
from tests.evaluate.checks import faulty_models, sound_models

checked = functools.partial(sound_models.checked, check_saturation)


class SaturationTest(parameterized.TestCase):
    @parameterized.parameters("mlp", "clipped_to_the_box", "linear", "median_3+mlp")
    def test_a_sound_model_passes(self, name):
        check = checked(sound_models.sound(name))
        self.assertTrue(check.passed, check.measured)

    @parameterized.parameters(
        (0.1, 0.9, "100.0% of the numbers near black, 100.0% near white, 0."),
        (0.02, 1.0, "100.0% of the numbers near black, 0."),
        (0.0, 0.95, "0.0% of the numbers near black, 100.0% near white"),
    )
    def test_a_clipped_input_is_found(self, low, high, shown):
        sound = sound_models.sound("mlp")
        check = checked(lambda x: sound(jnp.clip(x, low, high)))
        self.assertIs(check.passed, False, check.measured)
        self.assertIn(shown, check.measured)

    def test_a_saturating_input_is_found(self):
        sound = sound_models.sound("mlp")
        check = checked(lambda x: sound(jax.nn.sigmoid(100 * (x - 0.5))))
        self.assertIs(check.passed, False, check.measured)

    def test_what_does_not_matter_needs_no_gradient(self):
        # No gradient near black, and no effect between there and the middle.
        sound = sound_models.sound("mlp")
        check = checked(lambda x: sound(jnp.maximum(x, 0.505) - 0.5))
        self.assertNotEqual(check.passed, False, check.measured)

    @parameterized.parameters("detached", "quantizing", "overflowing")
    def test_a_gradient_that_is_nowhere_is_not_measured(self, fault):
        check = checked(faulty_models.planted(fault, sound_models.sound("mlp")))
        self.assertIsNone(check.passed, check.measured)

    @parameterized.parameters(*sound_models.SOUND, *sound_models.DEFENDED)
    @pytest.mark.compiling
    def test_no_false_alarm_in_twenty(self, name):
        # 28 models: 560 combinations of model, images and key.
        for number in range(10):
            for seed in (number, 10 + number):
                check = checked(sound_models.sound(name), seed, number)
                self.assertNotEqual(check.passed, False, check.measured)
