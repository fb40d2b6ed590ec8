"""The registry: what it says of an attack is what the attack takes."""

import inspect

from absl.testing import parameterized

from mspd_jax.attacks import (
    ATTACKS,
    NORMS,
    SUITES,
    dlr,
    known_attacks,
    parse_attack,
    square,
)
from mspd_jax.errors import InputError


class FieldsTest(parameterized.TestCase):
    @parameterized.parameters(*ATTACKS)
    def test_fields_are_what_the_function_takes(self, name):
        attack = ATTACKS[name]
        known = inspect.signature(attack.function).parameters
        # Without a random start, more attempts would be the same again.
        draws = attack.options.get("random_start", True)
        self.assertEqual(attack.restarts, "restarts" in known and draws)
        self.assertEqual(attack.restarts, "first" in known and draws)
        self.assertEqual(bool(attack.targets), "targets" in known)
        self.assertEqual(bool(attack.targets), "attempts" in known)
        if attack.targets:
            self.assertEqual(attack.targets, known["targets"].default)
        if attack.restarts:
            self.assertEqual(known["restarts"].default, 1)
        counts = [count for count in ("queries", "steps") if count in known]
        self.assertEqual([attack.count] if attack.count else [], counts)
        self.assertContainsSubset(attack.options, known)
        self.assertContainsSubset(attack.norms, NORMS)

    def test_scores_only(self):
        found = {name for name, attack in ATTACKS.items() if attack.scores_only}
        self.assertEqual(found, {"spsa", "square"})

    def test_all_names_are_listed(self):
        for name in (*SUITES, *ATTACKS):
            self.assertIn(name, known_attacks().split(", "))


class ParseTest(parameterized.TestCase):
    @parameterized.parameters(
        ("square", {}),
        ("square-7", {"queries": 7}),
        (" square-7x2", {"queries": 7, "restarts": 2}),
    )
    def test_counts(self, name, options):
        attack, found = parse_attack(name)
        self.assertIs(attack.function, square)
        self.assertEqual(found, options)

    def test_options_of_the_name_stay(self):
        self.assertEqual(parse_attack("apgd-dlr-9")[1], {"loss": dlr, "steps": 9})

    @parameterized.parameters(
        ("fgsm-20", "fgsm takes no number of steps"),
        ("mim-20x5", "mim takes no number of restarts"),
        ("square-0", "queries must be at least 1"),
        ("suqare", "unknown attack 'suqare': choose from .*square"),
    )
    def test_what_cannot_be(self, name, message):
        with self.assertRaisesRegex(InputError, message):
            parse_attack(name)
