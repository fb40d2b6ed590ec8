"""The frame of a run: every record once, in order, whatever fails in its midst."""

import threading
import time

import numpy as np
import pytest

from mspd_jax import drive
from mspd_jax.data import Record
from mspd_jax.drive._run import _WAITING


def batches(count, size=3, unreadable=()):
    """Batches of outcomes of images 0, 1, ..."""
    for first in range(0, count, size):
        yield [
            drive.Outcome(i, None, None, f"image {i} is broken")
            if i in unreadable
            else drive.Outcome(
                i, Record(i, np.zeros((1, 1, 1)), 0, f"{i}.png"), i * i, None
            )
            for i in range(first, min(first + size, count))
        ]


def square(record, result):
    return {"square": result}


def test_records_come_in_order_though_described_side_by_side():
    written, steps = [], []

    def describe(record, result):
        time.sleep(0.002 * (record.index % 4))
        return square(record, result)

    ran = drive.run(
        batches(20, unreadable=(5,)), describe, written.extend, advance=steps.append
    )
    kept = [i for i in range(20) if i != 5]
    assert written == [{"index": i, "square": i * i} for i in kept]
    assert ran.unreadable == ["image 5 is broken"]
    assert sum(steps) == 20 and ran.timing["images_computed"] == 19
    assert ran.timing["images_per_second"] > 0


def test_what_is_ready_together_is_flushed_together():
    flushed, slow = [], threading.Event()

    def write(records):
        flushed.append([record["index"] for record in records])
        slow.wait(0.05)

    drive.run(batches(60), square, write)
    assert [index for batch in flushed for index in batch] == list(range(60))
    assert len(flushed) < 20  # batches


def test_the_devices_wait_for_a_disk_that_is_slower():
    made, gate, behind = [], threading.Event(), []

    def counted():
        for batch in batches(60):
            made.append(batch)
            if len(made) == 2 * _WAITING:
                gate.set()  # never, while nothing is written
            yield batch

    def write(records):
        gate.wait(0.2)
        behind.append(len(made))

    drive.run(counted(), square, write)
    # One handed over, those that wait, and as many that are written by one flush.
    assert behind[0] <= 2 * _WAITING + 2


@pytest.mark.parametrize("where", ["describe", "write", "outcomes"])
def test_a_failure_comes_through_and_loses_nothing_before_it(where):
    written = []

    def describe(record, result):
        if where == "describe" and record.index == 31:
            raise ValueError("no such color")
        return square(record, result)

    def write(records):
        if where == "write" and records[-1]["index"] > 31:
            raise ValueError("the disk is full")
        written.extend(records)

    def outcomes():
        for batch in batches(600):
            if where == "outcomes" and batch[0].position > 31:
                raise KeyboardInterrupt
            yield batch

    with pytest.raises((ValueError, KeyboardInterrupt)):
        drive.run(outcomes(), describe, write)
    indices = [record["index"] for record in written]
    assert indices == list(range(len(indices)))
    assert len(indices) <= 33  # whole batches before that of image 31
    if where != "write":  # where several batches may have been written as one
        assert len(indices) == (30 if where == "describe" else 33)
    assert threading.active_count() < 20
