"""Attack names, configured: leaves and structure, counts, and what is refused."""

import jax
import numpy as np
from absl.testing import parameterized

from mspd_jax.attacks import ATTACKS, pgd, resolve_attack
from mspd_jax.errors import InputError


class ResolveTest(parameterized.TestCase):
    @parameterized.parameters(
        ("pgd", {}),
        ("pgd-20", {"steps": 20}),
        ("pgd-20x5", {"steps": 20, "restarts": 5}),
        (" pgd-3 ", {"steps": 3}),
    )
    def test_counts_in_the_name(self, name, counts):
        got = resolve_attack(name, eps=0.1, norm="l2")
        want = resolve_attack("pgd", eps=0.1, norm="l2", **counts)
        self.assertEqual(*(jax.tree.structure(a) for a in (got, want)))

    def test_result_is_the_attack_with_its_settings(self):
        attack = resolve_attack("pgd-3x2", eps=0.1, norm="l2", step_size=0.05)
        image = np.random.default_rng(0).uniform(size=(2, 2, 1)).astype(np.float32)
        args = (jax.random.key(0), lambda x: x.reshape(-1) ** 2, image, 1)
        settings = {"norm": "l2", "step_size": 0.05, "steps": 3, "restarts": 2}
        want = pgd(*args, eps=0.1, **settings)
        np.testing.assert_allclose(attack(*args).image, want.image, atol=1e-7)

    @parameterized.parameters("", "PGD", "pgd-", "pgd-x5", "pgd20", "pgd-20x", "gpd")
    def test_unknown_name_lists_the_known(self, name):
        with self.assertRaisesRegex(InputError, ", ".join(sorted(ATTACKS))) as caught:
            resolve_attack(name, eps=0.1, norm="linf")
        self.assertIn(repr(name), str(caught.exception))
        self.assertNotIn("\n", str(caught.exception))

    @parameterized.parameters(
        ("fgsm-20", "fgsm takes no number of steps"),
        ("bim-20x5", "bim takes no number of restarts"),
        ("pgd-0", "steps must be at least 1"),
        ("pgd-10x0", "restarts must be at least 1"),
    )
    def test_counts_that_cannot_be(self, name, message):
        with self.assertRaisesRegex(InputError, message):
            resolve_attack(name, eps=0.1, norm="linf")

    def test_equal_settings_are_one_function(self):
        one = resolve_attack("pgd-20", eps=0.1, norm="linf")
        same = resolve_attack("pgd-20", eps=0.2, norm="linf")
        other = resolve_attack("pgd-21", eps=0.1, norm="linf")
        self.assertEqual(*(jax.tree.structure(a) for a in (one, same)))
        self.assertNotEqual(*(jax.tree.structure(a) for a in (one, other)))

    def test_floats_are_leaves_and_counts_are_not(self):
        attack = resolve_attack("pgd-20", eps=0.1, norm="linf", step_size=0.01)
        leaves = jax.tree.leaves(attack)
        self.assertEqual(leaves, [np.float32(0.1), np.float32(0.01)])

    def test_bad_settings(self):
        with self.assertRaisesRegex(ValueError, "no option 'step'"):
            resolve_attack("pgd", eps=0.1, norm="linf", step=3)
        with self.assertRaisesRegex(ValueError, "norm must be one of"):
            resolve_attack("pgd", eps=0.1, norm="l0")
        with self.assertRaisesRegex(InputError, "defined for `norm`=linf and l2"):
            resolve_attack("fgsm", eps=0.1, norm="l1")

    @parameterized.parameters("bim", "pgd-20x5", "apgd-ce", "square")
    def test_some_are_defined_in_l1(self, name):
        attack = resolve_attack(name, eps=0.1, norm="l1")
        self.assertEqual(attack.func.keywords["norm"], "l1")
