"""The variants of MIM by the names of their papers: the registry's, to the last bit."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from jax.tree_util import Partial

from mspd_jax import attacks

SHAPE = (6, 5, 2)
IMAGE = np.random.default_rng(0).uniform(0.3, 0.7, SHAPE).astype(np.float32)
WEIGHTS = np.random.default_rng(1).normal(size=(3, 60)).astype(np.float32)
KEY = jax.random.key(0)
NAMES = {
    "di-mim": (attacks.di_fgsm, {}),
    "ti-mim": (attacks.ti_fgsm, {}),
    "vmi-mim": (attacks.vmi_fgsm, {}),
    "ni-mim": (attacks.ni_fgsm, {}),
    "si-ni-mim": (attacks.ni_fgsm, {"scales": 5}),
}


def wave(weights, image):
    return weights @ jnp.sin(9.0 * image.reshape(-1))


PREDICT = Partial(wave, jnp.array(WEIGHTS))


def proposal(function, **options):
    attack = jax.jit(lambda eps: function(KEY, PREDICT, IMAGE, 1, eps=eps, **options))
    return attack(0.1)


class VariantsTest(parameterized.TestCase):
    @parameterized.product(name=tuple(NAMES), norm=("linf", "l2"))
    def test_is_the_attack_of_the_registry(self, name, norm):
        function, options = NAMES[name]
        got = proposal(function, norm=norm, steps=3, **options)
        named = attacks.resolve_attack(name, eps=0.1, norm=norm, steps=3)
        want = jax.jit(lambda attack: attack(KEY, PREDICT, IMAGE, 1))(named)
        np.testing.assert_array_equal(got.image, want.image)
        np.testing.assert_array_equal(got.loss, want.loss)
        # And no other: plain MIM goes elsewhere.
        plain = proposal(attacks.mim, norm=norm, steps=3)
        self.assertGreater(np.max(np.abs(got.image - plain.image)), 1e-4)

    @parameterized.parameters(
        (attacks.di_fgsm, {"diversity": 0.0}),
        (attacks.ti_fgsm, {"kernel": 1}),
        (attacks.vmi_fgsm, {"neighbors": 0}),
    )
    def test_without_its_own_part_it_is_mim(self, function, options):
        got = proposal(function, steps=3, decay=0.7, **options)
        want = proposal(attacks.mim, steps=3, decay=0.7)
        np.testing.assert_allclose(got.image, want.image, atol=1e-6)
