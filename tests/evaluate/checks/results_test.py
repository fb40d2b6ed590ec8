"""Checks of finished evaluations, on records written by hand."""

from unittest import mock

from absl.testing import parameterized

from mspd_jax.attacks import ATTACKS
from mspd_jax.evaluate import check_results, check_sweep

BLACK, MOVED, FINITE = (
    "black box beats white box",
    "transfer beats white box",
    "finite proposals",
)
SQUARE = {"square": ATTACKS["pgd"]._replace(scores_only=True)}


def record(correct=True, broken=(), **found):
    names = {name.replace("_", ":").replace("0", "-"): f for name, f in found.items()}
    attacks = {n: {"found": f, "finite": n not in broken} for n, f in names.items()}
    return {"correct": correct, "attacks": attacks}


def verdicts(records):
    with mock.patch.dict(ATTACKS, SQUARE):
        checks = check_results(records)
    return {check.name: (check.passed, check.measured) for check in checks}


# Nothing found, by all three kinds.
STANDS = record(pgd020=False, square=False, transfer_pgd=False)
BY_SQUARE = record(pgd020=False, square=True, transfer_pgd=False)
BY_TRANSFER = record(pgd020=False, square=False, transfer_pgd=True)


class RecordsTest(parameterized.TestCase):
    def test_gradients_that_find_most_are_sound(self):
        fell = record(pgd020=True)  # and met no other attack
        got = verdicts([STANDS] * 5 + [fell] * 5)
        self.assertEqual({passed for passed, _ in got.values()}, {True})
        self.assertEqual(list(got), [BLACK, MOVED, FINITE])

    @parameterized.parameters((BLACK, BY_SQUARE, MOVED), (MOVED, BY_TRANSFER, BLACK))
    def test_two_images_and_more_than_one_percent(self, name, worse, other):
        for count, total, passed in (
            (1, 32, True),
            (2, 32, False),
            (2, 200, True),
            (3, 200, False),
        ):
            got = verdicts([STANDS] * (total - count) + [worse] * count)
            self.assertEqual(got[name][0], passed, (count, total))
            self.assertIn(f"break {count} of {total} images", got[name][1])
            self.assertTrue(got[other][0])

    def test_what_a_gradient_attack_finds_too_does_not_count(self):
        both = record(pgd020=True, square=True, fgsm=False, transfer_pgd=True)
        got = verdicts([both] * 32)
        self.assertEqual((got[BLACK][0], got[MOVED][0]), (True, True))

    def test_no_verdict_where_the_gradient_came_too_late(self):
        # The black box ran first; what fell to it never met the gradient attack.
        got = verdicts([record(square=True)] * 5)
        self.assertEqual((got[BLACK][0], got[MOVED][0]), (None, None))
        got = verdicts([record(square=True)] * 5 + [record(square=False, pgd=False)])
        self.assertIsNone(got[BLACK][0])

    def test_wrong_images_do_not_count(self):
        wrong = record(correct=False, pgd=False, square=True)
        self.assertTrue(verdicts([STANDS] * 30 + [wrong] * 5)[BLACK][0])

    def test_unknown_names_are_gradient_attacks(self):
        self.assertFalse(verdicts([record(mine=False, square=True)] * 5)[BLACK][0])
        self.assertTrue(verdicts([record(mine=True, square=True)] * 5)[BLACK][0])
        # A transferred black box is a transfer.
        got = verdicts([record(mine=False, transfer_square=True)] * 5)
        self.assertEqual((got[BLACK][0], got[MOVED][0]), (None, False))

    def test_views_that_know_less_are_no_white_box(self):
        got = verdicts([record(pgd020=False, static_pgd=True)] * 5)
        self.assertEqual((got[BLACK][0], got[MOVED][0]), (None, False))
        # Not even for others: nothing to compare with.
        got = verdicts([record(square=True, static_pgd=False)] * 5)
        self.assertEqual((got[BLACK][0], got[MOVED][0]), (None, None))

    @parameterized.parameters("bpda_pgd", "detached_pgd", "eot_pgd")
    def test_views_that_know_all_are_a_white_box(self, name):
        found = {"pgd020": False, "static_pgd": True, "square": True}
        got = verdicts([record(**found, **{name: True})] * 5)
        self.assertEqual((got[BLACK][0], got[MOVED][0]), (True, True))
        got = verdicts([record(**found, **{name: False})] * 5)
        self.assertEqual((got[BLACK][0], got[MOVED][0]), (False, False))

    def test_no_verdict_where_the_claimed_attack_took_most_away(self):
        # What fell to it never met the white box, and what stands fell to neither.
        fell, stands = record(transfer_pgd=True), record(transfer_pgd=False, pgd=False)
        got = verdicts([fell] * 6 + [stands] * 4)
        self.assertEqual(got[MOVED][0], None)
        self.assertIn("6 images fell to transferred attacks before", got[MOVED][1])
        worse = record(transfer_pgd=True, pgd=False)
        self.assertFalse(verdicts([fell] * 6 + [worse] * 4)[MOVED][0])

    def test_scores_of_averaged_draws_are_a_black_box(self):
        got = verdicts([record(pgd020=False, eot_square=True)] * 5)
        self.assertEqual((got[BLACK][0], got[MOVED][0]), (False, None))

    def test_not_finite(self):
        got = verdicts([STANDS, record(pgd=False, square=False, broken=("square",))])
        want = "1 of 5 proposals or their logits not finite"
        self.assertEqual(got[FINITE], (False, want))
        self.assertIsNone(verdicts([record()])[FINITE][0])

    def test_nothing_at_all(self):
        self.assertEqual({passed for passed, _ in verdicts([]).values()}, {None})


class SweepTest(parameterized.TestCase):
    @parameterized.parameters(
        ([(0, 0.9, 32), (0.1, 0.5, 32), (0.2, 0.5, 32)], True),
        ([(0.2, 0.1, 32), (0, 0.9, 32), (0.1, 0.5, 32)], True),  # in any order
        ([(0, 0.9, 32), (0.1, 0.5, 32), (0.2, 0.5 + 1 / 32, 32)], True),
        ([(0, 0.9, 32), (0.1, 0.5, 32), (0.2, 0.5 + 2 / 32, 32)], False),
        # Two small rises after each other are one.
        ([(0, 0.5, 32), (0.1, 0.5 + 1 / 32, 32), (0.2, 0.5 + 2 / 32, 32)], False),
        ([(0, 0.9, 1000), (0.1, 0.5, 1000), (0.2, 0.51, 1000)], True),
        ([(0, 0.9, 1000), (0.1, 0.5, 1000), (0.2, 0.512, 1000)], False),
        ([(0.1, 0.5, 32)], None),
        ([], None),
    )
    def test_robust_accuracy_falls_with_eps(self, points, passed):
        self.assertEqual(check_sweep(points).passed, passed)
        self.assertEqual(check_sweep(points).name, "monotone in eps")
