"""Keys of the examples of a training step."""

import jax
import numpy as np
from absl.testing import absltest

from mspd_jax.train._step import example_keys


class ExampleKeysTest(absltest.TestCase):
    def test_no_example_and_no_epoch_draws_what_another_draws(self):
        index = np.arange(5, dtype=np.uint32)
        keys = [
            jax.random.key_data(
                example_keys(jax.random.key(0), np.uint32(epoch), index)
            ).reshape(-1, 2)
            for epoch in range(4)
        ]
        # Augmentation and adversary, of five examples, in four epochs.
        self.assertLen(np.unique(np.concatenate(keys), axis=0), 2 * 5 * 4)

    def test_a_key_is_of_the_index_not_of_the_row(self):
        def keys(index):
            index = np.asarray(index, np.uint32)
            found = example_keys(jax.random.key(0), np.uint32(3), index)
            return np.asarray(jax.random.key_data(found))

        np.testing.assert_array_equal(keys([7, 2, 9])[[1, 2]], keys([2, 9]))
