"""Answers of all kinds as labels, and what is no answer."""

import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from mspd_jax.errors import InputError
from mspd_jax.query._reply import read_labels


class ReplyTest(parameterized.TestCase):
    @parameterized.parameters(
        ([2, 0, 3, -7, 4],),
        (np.array([2, 0, 3, 7, 200], np.uint8),),
        (jnp.array([2, 0, 3, -1, 9]),),
        ([2, 0, 3, None, 2**40],),
        (["c", "a", "d", "x", None],),
        ([[0, 0, 1, 0], [3, 3, 1, 3], [0, 0, 0, 9], [0, 1, 2, np.nan], [np.nan] * 4],),
    )
    def test_labels(self, reply):
        got = read_labels(reply, 5, num_classes=4, class_names="abcd")
        np.testing.assert_array_equal(got, [2, 0, 3, -1, -1])
        self.assertEqual(got.dtype, np.int32)

    def test_narrow_floats(self):
        scores = jnp.array([[1, 2, 0, 0], [1, jnp.nan, 0, 0]], jnp.bfloat16)
        got = read_labels(scores, 2, num_classes=4)
        np.testing.assert_array_equal(got, [1, -1])

    @parameterized.parameters(
        ([1], r"int64 \[1\] to 2 images"),
        (np.zeros((2, 3)), r"float64 \[2, 3\]"),
        ([1.0, 2.0], r"float64 \[2\]"),
        ([True, False], r"bool \[2\]"),
        ([[1.0, 2.0, 3.0, 4.0], [1.0]], "answered list"),
        (None, "answered NoneType"),
        ("ab", "answered str"),
        ({"labels": [1, 2]}, "answered dict"),
        (["a", "b"], "answered names .'a'.*no names of classes were given"),
    )
    def test_no_answer(self, reply, message):
        with self.assertRaisesRegex(InputError, message):
            read_labels(reply, 2, num_classes=4)
