"""Copies, shares and collectives on several devices."""

import textwrap

import jax

from mspd_jax import drive
from mspd_jax.drive._replicate import local_devices
from tests.launch import mains

ON_TWO = """
    import sys
    import jax, jax.export, numpy as np
    from mspd_jax import drive
    assert len(jax.devices()) == 2
    tree = {"a": np.arange(6.0, dtype=np.float32), "b": np.float32(3)}
    for devices in (jax.devices()[:1], jax.devices()):
        run = jax.jit(lambda tree: tree)
        if len(devices) > 1:
            run = drive.replicate(
                lambda tree: tree, devices=devices, axis_name="x", in_axes=(0,))
        back = drive.host_copy(run(drive.place_copies(tree, devices)), devices)
        jax.tree.map(np.testing.assert_array_equal, back, tree)
        shares = drive.place_shares(np.arange(8).reshape(4, 2), devices)
        assert np.shape(shares) == ((4, 2) if len(devices) == 1 else (2, 2, 2))

    def mean(rows, scale):
        return scale * jax.lax.pmean(rows.sum(), "x")

    rows = np.arange(8, dtype=np.float32).reshape(2, 4)
    options = {"devices": devices, "axis_name": "x", "in_axes": (0, None)}
    each = drive.replicate(mean, **options)(rows, np.float32(2))
    one = drive.replicate(mean, out_axes=None, **options)(rows, np.float32(2))
    np.testing.assert_array_equal(each, [28, 28])
    assert drive.any_scalar(each) == 28 and float(one) == 28
    assert drive.process_share(devices) == (0, 1)

    # For accelerators that are not here, the collective included.
    run = drive.replicate(mean, **options)
    export = jax.export.export(run.program, platforms=["cuda", "tpu"])
    found = export(*run.placed(rows, np.float32(2)))
    assert found.nr_devices == 2 and "all_reduce" in found.mlir_module()
    print("equal")
"""


def test_copies_shares_and_collectives_on_two_devices(tmp_path):
    code, out, err = mains.run_code(textwrap.dedent(ON_TWO), tmp_path, devices=2)
    assert (code, out.strip()) == (0, "equal"), err[-2000:]


def test_this_process_feeds_all_devices_of_a_single_process():
    devices = drive.chosen_devices()
    assert devices == jax.devices() == local_devices(devices)
    assert drive.chosen_devices(devices[:1]) == devices[:1]
    assert drive.process_share(devices) == (0, 1)
