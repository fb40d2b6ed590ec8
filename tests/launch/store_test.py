"""Jobs on a real S3 server: the files of a local run."""

import json
import re
import signal

import jax
import numpy as np
import pytest

from mspd_jax import data, models, paths, runs
from tests.data.arrayrecord_write_test import parts_of, rows_of
from tests.launch import mains, s3
from tests.launch.certify_test import save_denoiser
from tests.launch.s3 import BUCKET, server

__all__ = ["server"]  # a fixture

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ground(server, tmp_path_factory):
    """Models and images, on the disk and in the bucket under the same names."""
    path = tmp_path_factory.mktemp("ground")
    mains.save_small_model(path / "cnn", seed=5)
    save_denoiser(path / "denoiser", 0.2)
    source = data.open_source("digits:test", limit=40)
    images, labels = data.load_arrays(source)
    np.savez(path / "images.npz", x=images, y=labels)
    for place in range(20):
        name = f"{source.indices[place]:05d}_{labels[place]}.png"
        data.write_png(path / "pictures" / name, images[place])
    for file in sorted(path.rglob("*")):
        if file.is_file():
            runs.write_file(BUCKET / file.relative_to(path), file.read_bytes())
    return path


def both(ground, job, *flags, name):
    """Runs a job on the disk, and with all of its paths in the bucket."""
    for root, out in ((ground, ground / name), (BUCKET, BUCKET / name)):
        given = [flag.replace("@", str(root)) for flag in flags]
        code, _, err = mains.run(job, *given, f"--out={out}", devices=2)
        assert code == 0, err
    return ground / name, BUCKET / name


def test_protect_revert_evaluate_and_report(ground):
    flags = ("--source=folder:@/pictures", "--surrogate=@/cnn", "--eps=0.1")
    few = ("--samples=2", "--batch_size=4")
    s3.assert_same(*both(ground, "protect", *flags, *few, name="protect"))
    again = ("--source=folder:@/protect", "--original=folder:@/pictures")
    s3.assert_same(*both(ground, "revert", *again, *flags[1:], *few, name="revert"))
    flags = ("--source=folder:@/protect", "--attack=pgd-5,fgsm", "--eps=0.1,0.05")
    flags = (*flags, "--target=@/cnn", "--save_images", "--check_images=4")
    local, store = both(ground, "evaluate", *flags, name="evaluate")
    for cell in ("cnn/eps_0.1", "cnn/eps_0.05"):
        s3.assert_same(local / cell, store / cell)
    assert paths.exists(store / "_SUCCESS")
    runs_of = "--runs=@/protect,@/revert,@/evaluate"
    local, store = both(ground, "report", runs_of, name="report")
    assert s3.content(local).keys() == s3.content(store).keys()
    one, other = (paths.read_text(folder / "report.csv") for folder in (local, store))
    assert one.count("\n") == other.count("\n") > 3
    table = paths.read_text(store / "report.md")
    assert "picture.png" in table and "Verdicts by the target" in table


def test_data_sets_of_images(server, tmp_path):
    rows = rows_of(range(300), [(32, 32, 3)])
    for root in (tmp_path, BUCKET / "data"):
        parts = parts_of(root / "parts", rows[200:], rows[:120], rows[100:200])
        data.merge_parts(parts, root / "images", num_classes=3)
    wanted = s3.content(tmp_path / "images")
    assert wanted and s3.content(BUCKET / "data" / "images") == wanted
    here, there = (
        data.open_source(f"arrayrecord:{root}") for root in (tmp_path, BUCKET / "data")
    )
    assert here.fingerprint == there.fingerprint
    np.testing.assert_array_equal(here.read(299).image, there.read(299).image)


@pytest.mark.parametrize(
    "flags",
    [
        ("--method=smoothing", "--sigma=0.2", "--samples=200", "--selection=20"),
        (
            "--method=denoised",
            "--denoiser=@/denoiser",
            "--sigma=0.2",
            "--samples=50",
            "--selection=10",
        ),
    ],
)
def test_certify(ground, flags):
    flags = ("--source=npz:@/images.npz", "--target=@/cnn", "--limit=6", *flags)
    name = re.sub(r"\W", "", flags[3])
    s3.assert_same(*both(ground, "certify", *flags, name=name))


def test_training(ground):
    flags = ("--source=npz:@/images.npz", "--eval_source=npz:@/images.npz")
    flags += ("--arch=small_cnn", '--arch_options={"widths": [4]}', "--epochs=3")
    flags += ("--batch_size=8", "--checkpoint_every=4", "--eval_limit=16")
    local, store = both(ground, "train_classifier", *flags, name="trained")
    # Orbax does not write the same bytes twice; the numbers are the same.
    s3.assert_same(local, store, skip=("model/", "checkpoints/"))
    one, other = models.load_model(local), models.load_model(store)
    assert models.model_hash(one) == models.model_hash(other)
    kept = s3.content(store / "checkpoints")
    assert len(kept) == 2 and all(name.endswith(".safetensors") for name in kept)
    lines = paths.read_text(store / "metrics.jsonl").splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2, 3]
    # Done is done, and a model goes on from there.
    out = f"--out={store}"
    given = [flag.replace("@", str(BUCKET)) for flag in flags]
    code, said, err = mains.run("train_classifier", *given, out, devices=2)
    assert code == 0 and said.startswith("finished before"), err


def test_a_killed_training_ends_with_the_same_weights(ground):
    flags = ("--source=digits:train", "--arch=small_cnn", "--epochs=12")
    flags += ('--arch_options={"widths": [4]}', "--batch_size=64", "--ema=0.9")
    flags += ("--checkpoint_every=10",)
    whole, killed = ground / "whole", BUCKET / "killed_training"
    s3.finish(mains.start("train_classifier", *flags, f"--out={whole}", devices=1))
    command = (*flags, f"--out={killed}")
    process = mains.start("train_classifier", *command, devices=1)
    s3.wait_for(lambda: len(paths.files_below(killed / "checkpoints")) >= 2, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not paths.exists(killed / "model")
    s3.finish(mains.start("train_classifier", *command, devices=1))
    one, other = models.load_model(whole), models.load_model(killed)
    assert models.model_hash(one) == models.model_hash(other)
    jax.tree.map(np.testing.assert_array_equal, one.variables, other.variables)
    found = [[r["epoch"] for r in runs.read_metrics(f)] for f in (whole, killed)]
    assert found[0] == found[1] == list(range(1, 13))
    s3.assert_sealed(killed)


def test_two_processes_train_a_model_that_one_takes_up(server):
    out = BUCKET / "trained_by_two"
    flags = ("--source=digits:train", "--arch=small_cnn", "--epochs=2")
    flags += ('--arch_options={"widths": [4]}', "--batch_size=64", f"--out={out}")
    flags += ("--eval_source=digits:test", "--eval_limit=16")
    pair = [("train_classifier", [*flags, *own]) for own in mains.cluster(2)]
    with mains.together(pair, devices=2) as begun:
        for code, _, err in begun.finish():
            assert code == 0, err
    s3.assert_sealed(out)
    assert models.load_model(out).spec.architecture == "small_cnn"
    assert [line["epoch"] for line in runs.read_metrics(out)] == [1, 2]
    assert len(runs.read_records(out)) == 16
    assert server.written[f"/bucket/trained_by_two/model/{paths.SUMS}"] == 1
    code, said, err = mains.run("train_classifier", *flags, devices=1)
    assert code == 0 and said.startswith("finished before"), err
