"""Equal keywords give the identical function."""

from absl.testing import parameterized

from mspd_jax.attacks import fixed


def add(one, other):
    return one + other


class FixedTest(parameterized.TestCase):
    def test_one_object_for_equal_keywords(self):
        self.assertIs(fixed(add, other=2), fixed(add, other=2))
        self.assertIsNot(fixed(add, other=2), fixed(add, other=3))
        self.assertEqual(fixed(add, other=2)(1), 3)
