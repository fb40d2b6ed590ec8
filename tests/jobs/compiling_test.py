"""A second run with other numbers, in the same process, compiles nothing of weight."""

import functools

import jax.monitoring
import pytest

from mspd_jax import drive, jobs
from tests.jobs.programs_test import certify, classifier, evaluate, images, model

pytestmark = pytest.mark.slow
# Programs; what JAX compiles for an operation of a line each is not counted.
NAMES = {"examples_program", "step", "example_keys", "_logits", "_gradients"}


@functools.cache
def compiled():
    """The names of what has been compiled since, in order."""
    names = []

    def listen(event, seconds, *, fun_name="", **_):
        if event == "/jax/core/compile/backend_compile_duration":
            names.append(fun_name.removeprefix("jit(").removesuffix(")"))

    jax.monitoring.register_event_duration_secs_listener(listen)
    return names


JOBS = {
    "protect": lambda n: jobs.Protect(
        **images(surrogate=model(seed=n), eps=0.1 + n / 9, samples=4),
        learning_rate=1.0 + n,
        seed=n,
    ),
    "revert": lambda n: jobs.Revert(
        **images(surrogate=model(seed=n), eps=0.1 + n / 9, samples=4), seed=n
    ),
    "evaluate": lambda n: evaluate(
        "pgd-2,square-3", target=model(seed=n), eps=0.1 + n / 9, seed=n, check_images=4
    ),
    "certify": lambda n: certify(
        jobs.Smoothing(sigma=0.25 + n, samples=100, alpha=0.01 / (n + 1)),
        target=model(seed=n),
        seed=n,
    ),
    "patches": lambda n: certify(
        jobs.ScaleCert(patch=2, keep=0.5, cut="layer0", windows=2),
        target=model(seed=n),
    ),
    "train_classifier": lambda n: classifier(
        adversarial="pgd",
        eps=0.1 + n / 9,
        learning_rate=0.1 + n,
        weight_decay=0.1 + n,
        clip=1.0 + n,
        seed=n,
        epochs=1,
        eval_source=images()["source"],
    ),
}


@pytest.mark.parametrize("job", JOBS)
def test_other_numbers_and_weights_compile_no_program_again(job, tmp_path):
    names = compiled()
    before = len(names)
    JOBS[job](0).run(tmp_path / "first")
    first, before = set(names[before:]), len(names)
    assert first & NAMES
    seconds = drive.compile_seconds()
    JOBS[job](1).run(tmp_path / "second")
    assert not NAMES & set(names[before:])
    assert drive.compile_seconds() - seconds < 1
