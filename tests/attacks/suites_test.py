"""The suites of AutoAttack: the constants of the authors' code."""

from absl.testing import parameterized

from mspd_jax.attacks import ATTACKS, NORMS, SUITES


class SuitesTest(parameterized.TestCase):
    @parameterized.parameters(("linf", 1, 9), ("l2", 1, 9), ("l1", 5, 5))
    def test_standard(self, norm, restarts, targets):
        suite = SUITES["autoattack"](norm)
        want = {
            "apgd-ce": {"restarts": restarts},
            "apgd-t": {"targets": targets},
            "fab-t": {"targets": 9},
            "square": {"queries": 5000},
        }
        self.assertEqual(suite.attacks, want)
        self.assertEqual(list(suite.attacks), list(want))
        self.assertEqual(suite.draws, 1)

    @parameterized.parameters(*NORMS)
    def test_plus_restarts_and_rand_averages(self, norm):
        plus = SUITES["autoattack-plus"](norm).attacks
        restarts = {n: o["restarts"] for n, o in plus.items() if "restarts" in o}
        self.assertEqual(restarts, {"apgd-ce": 5, "apgd-dlr": 5, "fab": 5})
        self.assertLen(plus, 6)
        rand = SUITES["autoattack-rand"](norm)
        self.assertEqual(list(rand.attacks), ["apgd-ce", "apgd-dlr"])
        self.assertEqual(rand.draws, 20)

    def test_fast_is_malt_alone(self):
        suite = SUITES["autoattack-fast"]("linf")
        self.assertEqual(suite, ({"malt": {"targets": 9}}, 1))

    @parameterized.product(name=tuple(SUITES), norm=NORMS)
    def test_members_are_registered_for_the_norm(self, name, norm):
        for member in SUITES[name](norm).attacks:
            self.assertIn(norm, ATTACKS[member].norms)
