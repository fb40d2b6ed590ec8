"""The training of a denoiser as a user runs it: resumed, used, and with bad input."""

import json
import os
import shutil
import signal
import time

import pytest

from mspd_jax import models
from tests.launch import mains

FLAGS = (
    "--source=digits:train",
    "--limit=256",
    "--eval_source=digits:test",
    "--eval_limit=32",
    "--sigma=0.25",
    "--batch_size=64",
    "--checkpoint_every=3",
)
SMALL = ("--arch=dncnn", '--arch_options={"depth": 3, "width": 4}')
DIFFUSION = (
    "--objective=diffusion",
    "--ema=0.9",
    "--arch=ddpm",
    '--arch_options={"widths": [4], "layers": 1, "groups": 2, "attention": []}',
)


def train(out, *flags, devices=1):
    return mains.run("train_denoiser", *FLAGS, *flags, f"--out={out}", devices=devices)


def summary(out):
    return json.loads((out / "summary.json").read_text())


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    path = tmp_path_factory.mktemp("ground")
    for name, seed in (("a", 1), ("b", 2)):
        mains.save_small_model(path / name, seed=seed)
    mains.save_small_model(path / "seven", classes=7)
    code, _, err = train(path / "mse", *SMALL, "--epochs=3", devices=2)
    assert code == 0, err
    return path


def test_mse_writes_a_denoiser_that_knows_its_sigma(ground):
    model = models.load_model(ground / "mse")
    assert models.gives_images(model.spec)
    assert model.spec.origin["sigma"] == 0.25
    found = summary(ground / "mse")
    assert found["eval_images"] == 32
    # One draw of noise of deviation 0.25 on 32 images of 64 pixels.
    assert found["psnr_noisy"] == pytest.approx(12.04, abs=0.5)
    assert found["psnr"] > found["psnr_noisy"]


def test_stability_goes_on_from_mse_with_two_classifiers(ground, tmp_path):
    code, out, err = train(
        tmp_path / "stab",
        "--objective=stab",
        f"--classifier={ground}/a,{ground}/b",
        f"--init={ground}/mse",
        "--epochs=1",
    )
    assert code == 0, err
    assert "restored_accuracy" in summary(tmp_path / "stab")
    info = json.loads((tmp_path / "stab" / "run.json").read_text())
    assert sorted(info["models"]) == ["classifier0", "classifier1", "init"]
    hashes = [
        models.model_hash(models.load_model(p))
        for p in (ground / "mse", tmp_path / "stab")
    ]
    assert hashes[0] != hashes[1]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--objective=stab", *SMALL), ["at least one classifier"]),
        ((*SMALL, "--classifier={}/a"), ["no classifier"]),
        (("--arch=resnet20",), ["resnet20", "classifier, not a denoiser"]),
        (("--init={}/a",), ["classifier, not a denoiser"]),
        (("--arch=trn_small",), ["restoration network, not a denoiser"]),
        (("--init={}/mse", "--sigma=0.5"), ["0.25", "--sigma=0.5"]),
        (("--objective=clf", *SMALL, "--classifier={}/seven"), ["7 classes", "10"]),
        ((*SMALL, "--objective=stab", "--classifier={0}/a,{0}/seven"), ["[7, 10]"]),
        ((), ["--arch"]),
        ((*SMALL, "--sigma=0"), ["sigma"]),
    ],
)
def test_bad_input_is_told_in_one_line(ground, tmp_path, flags, words):
    code, out, err = train(
        tmp_path / "out",
        *(f.replace("{}", str(ground)).replace("{0}", str(ground)) for f in flags),
    )
    assert (code, out) == (2, ""), err
    assert err.startswith("error: ") and err.count("\n") == 1, err
    for word in words:
        assert word in err
    assert not (tmp_path / "out").exists()


def test_a_classifier_is_not_trained_as_a_denoiser(ground, tmp_path):
    for flags in (SMALL, (f"--init={ground}/mse",)):
        code, out, err = mains.run(
            "train_classifier",
            "--source=digits:train",
            "--limit=64",
            "--batch_size=32",
            *flags,
            f"--out={tmp_path / 'out'}",
        )
        assert (code, out) == (2, ""), err
        assert "a dncnn is a denoiser, not a classifier" in err
        assert err.count("\n") == 1 and not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "network", [SMALL, pytest.param(DIFFUSION, marks=pytest.mark.release)]
)
def test_a_killed_training_ends_with_the_same_weights(ground, tmp_path, network):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    flags = (*network, "--epochs=40")
    code, _, err = train(whole, *flags)
    assert code == 0, err
    process = mains.start(
        "train_denoiser", *FLAGS, *flags, f"--out={killed}", devices=1
    )
    log = killed / "metrics.jsonl"
    while not (log.exists() and log.read_text().count("\n") >= 3):
        assert process.poll() is None, process.communicate()[1][-2000:]
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (killed / "model").exists()
    code, _, err = train(killed, *flags)
    assert code == 0, err
    hashes = [models.model_hash(models.load_model(p)) for p in (whole, killed)]
    assert hashes[0] == hashes[1]
    read = [(out / "records.jsonl").read_bytes() for out in (whole, killed)]
    assert read[0] == read[1]
    shutil.rmtree(killed)
