"""Programs that are compiled ahead of a run, which then compiles none of them."""

import json
import re
import shutil

import pytest

from tests.launch import mains


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "cnn"
    mains.save_small_model(path)
    return path


def cached(tmp_path, monkeypatch):
    """The names of the programs in a compilation cache that keeps all."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(folder))
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    return lambda: {path.name for path in folder.glob("*-cache")}


def done(job, *flags):
    """What a main prints, in a process that reads the environment as it starts."""
    process = mains.start(job, *flags)
    said, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return said


# Of these the programs are made as those of protect are.
ALIKE = ("revert",)
JOBS = {
    "protect": ["--surrogate={model}", "--eps={eps}", "--samples=4", "--seed={seed}"],
    "revert": ["--surrogate={model}", "--eps={eps}", "--samples=4"],
    "evaluate": ["--target={model}", "--attack=pgd-2,square-9", "--eps={eps}"],
    "certify": ["--target={model}", "--sigma={eps}", "--samples=100"],
    "train_classifier": [
        "--arch=small_cnn",
        "--eval_source=digits:test",
        "--eval_limit=8",
        "--epochs=1",
        "--batch_size=16",
        "--adversarial=fgsm",
        "--eps={eps}",
        "--learning_rate={eps}",
        "--seed={seed}",
    ],
}
COMPILED = sorted([*JOBS, "protect_pictures", "train_denoiser", "train_trn"])
PROGRAMS = "jit_(examples_program|step|example_keys|_logits|_gradients|_lambda)"


@pytest.mark.slow
@pytest.mark.parametrize(
    "job",
    [
        pytest.param(job, marks=pytest.mark.release) if job in ALIKE else job
        for job in JOBS
    ],
)
def test_a_run_compiles_nothing_that_was_compiled_ahead(
    job, model, tmp_path, monkeypatch
):
    entries = cached(tmp_path, monkeypatch)

    def flags(eps, seed):
        given = ["--source=digits:test", "--limit=48", *JOBS[job]]
        return [flag.format(model=model, eps=eps, seed=seed) for flag in given]

    said = done("compile", job, *flags(0.1, 0))
    assert re.search(r"^\w[\w-]*: [0-9.]+ s$", said, re.MULTILINE)
    ahead = entries()
    assert any(re.match(PROGRAMS, name) for name in ahead)
    shutil.rmtree(model)
    mains.save_small_model(model, seed=1)
    out = tmp_path / "out"
    said = done(job, *flags(0.05, 7), f"--out={out}")
    assert "compile_seconds: " in said
    new = {name for name in entries() - ahead if re.match(PROGRAMS, name)}
    assert new == set()
    assert json.loads((out / "summary.json").read_text())["compile_seconds"] > 0


def test_what_has_no_programs_is_refused():
    code, said, err = mains.run("compile", "report")
    assert (code, said) == (2, "")
    line = "error: no programs of a job 'report': "
    assert err.startswith(line) and err.endswith(f"(jobs: {', '.join(COMPILED)})\n")
    code, said, _ = mains.run("compile", "--help")
    assert code == 0 and "ahead of its run" in said
