"""Real networks give the same bits on any number of devices, on several processors.

The instruction sets stand for processors: XLA vectorizes, and rounds, by what there is.
"""

import functools
import os
import pathlib
import subprocess
import sys
import tempfile

import pytest

pytestmark = pytest.mark.slow
ROOT = pathlib.Path(__file__).resolve().parents[2]


@functools.cache
def _digests(devices, instructions=None, *command):
    flags = [f"--xla_force_host_platform_device_count={devices}"]
    if instructions:
        flags.append(f"--xla_cpu_max_isa={instructions}")
    env = os.environ | {"XLA_FLAGS": " ".join(flags), "JAX_PLATFORMS": "cpu"}
    # Each compiles for itself: what another has compiled would give the same anyway.
    with tempfile.TemporaryDirectory() as compiled:
        done = subprocess.run(
            [*command, sys.executable, "-m", "tests.drive.exact"],
            cwd=ROOT,
            text=True,
            capture_output=True,
            timeout=600,
            env=env | {"JAX_COMPILATION_CACHE_DIR": compiled},
        )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("instructions", [None, "AVX2", "SSE4_2"])
def test_the_number_of_devices_changes_no_bit(instructions):
    found = _digests(1, instructions)
    assert found.count("\n") == 2
    for devices in (4,) if instructions else (2, 4):
        assert _digests(devices, instructions) == found


@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="one core, or no way to ask for one",
)
def test_one_core_gives_what_all_give():
    assert _digests(1, None, "taskset", "-c", "0") == _digests(1)
