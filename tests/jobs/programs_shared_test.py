"""The programs of jobs whose devices share an image or a batch."""

import textwrap

import pytest

from tests.launch import mains

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
def test_what_devices_share_is_lowered_with_its_collectives(tmp_path):
    code, out, err = mains.run_code(textwrap.dedent(ON_FOUR), tmp_path, devices=4)
    assert (code, out.strip()) == (0, "lowered"), err[-2000:]
