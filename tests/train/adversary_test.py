"""The adversaries of training are the attacks of the library, and the KL of SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from jax.tree_util import Partial
from scipy import special

from mspd_jax import attacks, train
from mspd_jax.train import _adversary

SHAPE = (4, 3, 2)
IMAGE = np.random.default_rng(0).uniform(size=SHAPE).astype(np.float32)
WEIGHTS = np.random.default_rng(1).normal(size=(3, 24)).astype(np.float32)
KEY = jax.random.key(4)
EPS = {"linf": 0.1, "l2": 0.5, "l1": 2.0}


def wave(weights, image):
    return weights @ jnp.sin(5.0 * image.reshape(-1))


PREDICT = Partial(wave, jnp.array(WEIGHTS))


def found(name, norm, **options):
    chosen = train.objective(name, eps=EPS[norm], norm=norm, **options)
    return jax.jit(lambda adversary: adversary(KEY, PREDICT, IMAGE, 1))(
        chosen.adversary
    )


class AdversaryTest(parameterized.TestCase):
    @parameterized.parameters("linf", "l2")
    def test_one_step_is_that_of_fgsm_and_ffgsm(self, norm):
        eps = EPS[norm]
        got = found("fgsm_regularized", norm)
        want = attacks.fgsm(KEY, PREDICT, IMAGE, 1, eps=eps, norm=norm).image
        np.testing.assert_allclose(got, want, atol=1e-6)
        got = found("fgsm", norm)
        want = attacks.ffgsm(KEY, PREDICT, IMAGE, 1, eps=eps, norm=norm).image
        np.testing.assert_allclose(got, want, atol=1e-6)

    @parameterized.parameters(*attacks.NORMS)
    def test_several_are_those_of_pgd(self, norm):
        def stepped(image, steps):
            return attacks.ascent(
                jax.grad(lambda x: attacks.cross_entropy(PREDICT(x), 1)),
                attacks.random_start(KEY, image, eps=EPS[norm], norm=norm),
                image,
                eps=EPS[norm],
                step_size=EPS[norm] / 4,
                steps=steps,
                norm=norm,
            )

        options = {"step_size": EPS[norm] / 4, "steps": 5}
        got = found("pgd", norm, **options)
        np.testing.assert_allclose(got, stepped(IMAGE, 5), atol=1e-5)
        self.assertGreater(np.max(np.abs(got - stepped(IMAGE, 4))), 1e-3)
        # As the attack, which draws its start from fold_in(key, 0).
        options |= {"eps": EPS[norm], "norm": norm}
        attack = attacks.pgd(KEY, PREDICT, IMAGE, 1, **options)
        adversary = train.objective("pgd", **options).adversary
        same = adversary(jax.random.fold_in(KEY, 0), PREDICT, IMAGE, 1)
        np.testing.assert_allclose(same, attack.image, atol=1e-5)


class DivergenceTest(parameterized.TestCase):
    def test_is_that_of_scipy(self):
        logits, other = np.random.default_rng(2).normal(size=(2, 5, 7)).astype("f") * 5
        p, q = (special.softmax(z.astype(np.float64), axis=-1) for z in (logits, other))
        want = special.rel_entr(p, q).sum(axis=-1)
        got = _adversary.kl_divergence(logits, other)
        np.testing.assert_allclose(got, want, rtol=1e-4)
        self.assertGreater(np.min(want), 1e-2)
        np.testing.assert_allclose(
            _adversary.kl_divergence(logits, logits), 0.0, atol=1e-6
        )
