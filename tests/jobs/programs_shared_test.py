"""The programs of jobs whose devices share an image or a batch."""

import os
import subprocess
import sys
import textwrap

import pytest

ON_FOUR = """
    import jax
    from mspd_jax import jobs
    from tests.jobs.programs_test import certify, classifier, texts
    assert len(jax.devices()) == 4
    shared = certify(jobs.Smoothing(sigma=0.25, samples=100, split="samples"))
    for job in (classifier(adversarial="fgsm", eps=0.1), shared):
        *_, text = texts(job).values()
        assert "all_reduce" in text and "num_partitions = 4" in text
    print("lowered")
"""


@pytest.mark.slow
def test_what_devices_share_is_lowered_with_its_collectives():
    environment = os.environ | {
        "XLA_FLAGS": "--xla_force_host_platform_device_count=4",
        "JAX_PLATFORMS": "cpu",
    }
    found = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(ON_FOUR)],
        capture_output=True,
        text=True,
        timeout=300,
        env=environment,
    )
    assert found.stdout.strip() == "lowered", found.stderr[-2000:]
