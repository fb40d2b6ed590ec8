"""The driver: same rows for any batch, device and process split; unreadable images.

In turn: keys by index, done ones left out, unreadable ones named.
"""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from mspd_jax import data, drive
from mspd_jax.data import Record, Source
from mspd_jax.drive._blocks import pack, row_of
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
        spec="made",
        indices=10 * np.arange(COUNT),
        image_shape=(2, 2, 1),
        num_classes=3,
        max_label=2,
        class_names=None,
        labelled=True,
        read=read,
    )


def _method(key, predict, image, label):
    noise = jax.random.uniform(key, image.shape)
    return {"image": image + predict(noise), "label": label}


def _run(source=None, **options):
    options = {"block": 4, "devices": jax.devices()[:1]} | options
    batches = drive.drive(
        jax.random.key(3),
        jax.tree_util.Partial(jnp.square),
        _method,
        source or _source(),
        **options,
    )
    return {o.position: o for batch in batches for o in batch}


class DriveTest(parameterized.TestCase):
    def test_every_image_once_with_the_key_of_its_index(self):
        outcomes = _run()
        self.assertEqual(sorted(outcomes), list(range(COUNT)))
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
            jax.random.key(3),
            jax.tree_util.Partial(jnp.square),
            shared,
            _source(),
            block=4,
            devices=jax.devices()[:1],
            axis_name="parts",
        )
        found = {o.position: o.result for batch in batches for o in batch}
        self.assertEqual(sorted(found), list(range(COUNT)))
        for position, outcome in _run().items():
            np.testing.assert_array_equal(found[position], outcome.result["image"])

    def test_other_numbers_and_what_is_left_do_not_compile_again(self):
        traces = []

        def method(key, predict, image, label, *, scale):
            traces.append(1)
            return scale * predict(image)

        for scale, options in ((2.0, {}), (3.0, {"skip": [0, 30]}), (4.0, {})):
            batches = drive.drive(
                jax.random.key(int(scale)),
                jax.tree_util.Partial(jnp.square),
                jax.tree_util.Partial(method, scale=jnp.float32(scale)),
                _source(),
                block=4,
                batch_size=int(scale),
                devices=jax.devices()[:1],
                **options,
            )
            for outcome in (o for batch in batches for o in batch):
                expected = scale * (outcome.position / COUNT) ** 2
                np.testing.assert_allclose(outcome.result, expected, rtol=1e-5)
        self.assertLen(traces, 1)

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
        self.assertEqual(
            [broken[p].error is None for p in range(3, 9)],
            [True, False, False, False, False, True],
        )

    def _assert_same(self, expected, found):
        self.assertEqual(sorted(expected), sorted(found))
        for position, outcome in expected.items():
            other = found[position].result
            np.testing.assert_array_equal(outcome.result["image"], other["image"])


class PackTest(parameterized.TestCase):
    @parameterized.parameters(1, 4, 8, 32)
    def test_rows_are_of_the_index_and_even(self, block):
        for step in (1, 10, 20):
            rows = row_of(step * np.arange(400), block=block)
            counts = np.bincount(rows.astype(int), minlength=block)
            self.assertLen(counts, block)
            self.assertLess(np.abs(counts - 400 / block).max(), 5)

    @parameterized.parameters(1, 3, 8, 40)
    def test_images_in_sequence_fill_blocks_without_a_gap(self, block):
        for first in (0, 7 * block):
            indices = first + np.arange(6 * block)
            packed = list(pack(indices, range(len(indices)), block=block, step=6))
            self.assertLen(packed[0], 6)
            self.assertLen(packed, 1)

    @parameterized.parameters(1, 3, 8)
    def test_every_pending_image_once_in_its_own_row(self, block):
        indices, pending = 10 * np.arange(COUNT), [3, 4, 9, 14, 22]
        found = []
        for blocks in pack(indices, pending, block=block, step=2):
            self.assertLessEqual(len(blocks), 2)
            for one in blocks:
                self.assertLen(one.positions, block)
                self.assertContainsSubset(one.positions, one.positions[one.wanted])
                own = one.positions[one.wanted]
                rows = row_of(indices[own], block=block)
                np.testing.assert_array_equal(np.flatnonzero(one.wanted), rows)
                found += own.tolist()
        self.assertEqual(sorted(found), pending)

    def test_processes_agree_without_knowing_what_the_others_have_done(self):
        for pending in (range(COUNT), [1, 2, 3, 9, 17, 18]):
            of = [
                {
                    int(p)
                    for blocks in pack(
                        np.arange(COUNT),
                        seen,
                        block=2,
                        step=2,
                        process_index=process,
                        process_count=3,
                    )
                    for one in blocks
                    for p in one.positions[one.wanted]
                }
                for process, seen in ((0, pending), (1, pending), (2, range(COUNT)))
            ]
            self.assertContainsSubset(set(pending), of[0] | of[1] | of[2])
            self.assertEmpty(of[0] & of[1] | of[1] & of[2] | of[0] & of[2])


def source_of(broken=()):
    images = np.arange(5 * 4, dtype=np.uint8).reshape(5, 2, 2, 1)
    source = data.from_arrays(images, np.arange(5, dtype=np.int32))
    source = data.every(source, 2)  # indices 0, 2, 4

    def read(position):
        if position in broken:
            raise InputError(f"image {position} is broken")
        return source.read(position)

    return source._replace(read=read)


def test_each_image_has_the_key_of_its_index_and_what_is_done_is_left_out():
    key, seen = jax.random.key(3), []

    def method(own, record):
        seen.append(record.index)
        return jax.random.bits(own), int(record.label)

    batches = drive.in_turn(key, method, source_of(), skip={2})
    first = next(batches)
    assert seen == [0]  # no image is begun before the last one has been taken
    found = [*first, *(outcome for batch in batches for outcome in batch)]
    assert [(o.position, o.record.index, o.error) for o in found] == [
        (0, 0, None),
        (2, 4, None),
    ]
    for outcome in found:
        index = outcome.record.index
        want = jax.random.bits(jax.random.fold_in(key, index))
        assert outcome.result == (want, index)


def test_an_unreadable_image_is_an_outcome_with_the_reason():
    found = [
        outcome
        for batch in drive.in_turn(jax.random.key(0), lambda key, r: 7, source_of({1}))
        for outcome in batch
    ]
    assert [(o.position, o.result, o.error) for o in found] == [
        (0, 7, None),
        (1, None, "image 1 is broken"),
        (2, 7, None),
    ]
