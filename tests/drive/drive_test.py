"""The driver: same rows for any batch, device and process split; unreadable images."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from mspd_jax import drive
from mspd_jax.data import Record, Source
from mspd_jax.errors import InputError

COUNT = 23


def _source(unreadable=()):
    """23 images whose data-set index is 10 times their position."""

    def read(position):
        if position in unreadable:
            raise InputError(f"image {position} is broken")
        image = np.full((2, 2, 1), position / COUNT, np.float32)
        return Record(10 * position, image, position % 3, f"{position}.png")

    return Source(
        spec="made", indices=10 * np.arange(COUNT), image_shape=(2, 2, 1),
        num_classes=3, max_label=2, class_names=None, labelled=True, read=read,
    )  # fmt: skip


def _method(key, predict, image, label):
    noise = jax.random.uniform(key, image.shape)
    return {"image": image + predict(noise), "label": label}


def _run(source=None, **options):
    options = {"batch_size": 4, "devices": jax.devices()[:1]} | options
    batches = drive.drive(
        jax.random.key(3), jax.tree_util.Partial(jnp.square), _method,
        source or _source(), **options,
    )  # fmt: skip
    return {o.position: o for batch in batches for o in batch}


class DriveTest(parameterized.TestCase):
    def test_every_image_once_with_the_key_of_its_index(self):
        outcomes = _run()
        self.assertEqual(list(outcomes), list(range(COUNT)))
        for position, outcome in outcomes.items():
            key = jax.random.fold_in(jax.random.key(3), 10 * position)
            expected = position / COUNT + jax.random.uniform(key, (2, 2, 1)) ** 2
            np.testing.assert_allclose(outcome.result["image"], expected, rtol=1e-6)
            self.assertEqual(outcome.result["label"], position % 3)
            self.assertEqual(outcome.record.name, f"{position}.png")

    @parameterized.parameters(1, 7, 23, 64)
    def test_batch_size_does_not_matter(self, batch_size):
        self._assert_same(_run(), _run(batch_size=batch_size))

    def test_a_method_may_share_an_image_over_the_devices(self):
        def shared(key, predict, image, label):
            return jax.lax.psum(_method(key, predict, image, label)["image"], "parts")

        batches = drive.drive(
            jax.random.key(3), jax.tree_util.Partial(jnp.square), shared, _source(),
            batch_size=4, devices=jax.devices()[:1], axis_name="parts",
        )  # fmt: skip
        found = {o.position: o.result for batch in batches for o in batch}
        self.assertEqual(list(found), list(range(COUNT)))
        for position, outcome in _run().items():
            np.testing.assert_array_equal(found[position], outcome.result["image"])

    def test_processes_share_the_work(self):
        parts = [_run(process_index=i, process_count=3) for i in range(3)]
        self.assertEqual([len(p) for p in parts], [8, 8, 7])
        self._assert_same(_run(), parts[0] | parts[1] | parts[2])

    def test_done_images_are_not_computed_again(self):
        done = {0, 10, 50, 220}
        rest = _run(skip=done)
        self.assertEqual(set(rest), set(range(COUNT)) - {0, 1, 5, 22})
        self._assert_same({k: v for k, v in _run().items() if k in rest}, rest)
        self.assertEqual(_run(skip={10 * p for p in range(COUNT)}), {})

    def test_an_unreadable_image_is_told_and_harms_no_other(self):
        broken = _run(_source(unreadable={0, 5, 20, 21, 22}))
        self.assertEqual(len(broken), COUNT)
        self.assertEqual(broken[5].error, "image 5 is broken")
        self.assertIsNone(broken[5].result)
        readable = {k: v for k, v in broken.items() if v.error is None}
        self.assertLen(readable, COUNT - 5)
        self._assert_same({k: v for k, v in _run().items() if k in readable}, readable)

    def test_a_batch_without_any_readable_image(self):
        broken = _run(_source(unreadable={4, 5, 6, 7}))
        self.assertEqual([broken[p].error is None for p in range(3, 9)],
                         [True, False, False, False, False, True])  # fmt: skip

    def _assert_same(self, expected, found):
        self.assertEqual(sorted(expected), sorted(found))
        for position, outcome in expected.items():
            other = found[position].result
            np.testing.assert_array_equal(outcome.result["image"], other["image"])


class SlotsTest(parameterized.TestCase):
    def test_an_image_keeps_its_slot_after_a_restart(self):
        full = {p: (b, r) for b, r, p in self._slots(range(COUNT))}
        rest = {p: (b, r) for b, r, p in self._slots([3, 4, 9, 22])}
        self.assertEqual(set(rest), {3, 4, 9, 22})
        for position, (_, row) in rest.items():
            self.assertEqual(row, full[position][1])
            self.assertEqual(position // 8, full[position][0])

    def _slots(self, pending):
        for number, batch in enumerate(drive.slots(list(pending), COUNT, batch=8)):
            self.assertLen(batch.positions, 8)
            self.assertLess(batch.positions.max(), COUNT)
            for row in np.flatnonzero(batch.wanted):
                yield number, row, int(batch.positions[row])
