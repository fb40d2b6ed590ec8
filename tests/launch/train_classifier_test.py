"""The training main as a user runs it: killed and resumed, and with bad input."""

import json
import os
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

from mspd_jax.models import ModelSpec, create_model, load_model, model_hash, save_model
from tests.launch.mains import run

COMMAND = [
    sys.executable,
    "-m",
    "launch.train_classifier",
    "--source=digits:train",
    "--eval_source=digits:test",
    "--eval_limit=64",
    "--arch=small_cnn",
    '--arch_options={"widths": [4]}',
    "--adversarial=fgsm",
    "--eps=0.1",
    "--epochs=40",
    "--batch_size=64",
    "--augment=crop",
    "--ema=0.9",
    "--checkpoint_every=50",
]


def start(out, **options):
    return subprocess.Popen(
        [*COMMAND, f"--out={out}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


def finish(process):
    text, _ = process.communicate(timeout=300)
    assert process.returncode == 0, text[-2000:]
    return text


def epochs(out):
    lines = (out / "metrics.jsonl").read_text().splitlines()
    lines = [json.loads(line) for line in lines]
    return [{k: v for k, v in line.items() if k != "seconds"} for line in lines]


@pytest.mark.slow
def test_a_killed_run_ends_with_the_weights_of_an_uninterrupted_one(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    finish(start(whole))
    process = start(killed)
    log = killed / "metrics.jsonl"
    # 21 steps make an epoch: after the third, a checkpoint in mid-epoch is the latest.
    while not (log.exists() and log.read_text().count("\n") >= 3):
        assert process.poll() is None, process.communicate()[0][-2000:]
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (killed / "model").exists()
    steps = sorted(
        int(p.name) for p in (killed / "checkpoints").iterdir() if p.name.isdigit()
    )
    assert steps and steps[-1] % 50 == 0 and steps[-1] < 40 * 21
    finish(start(killed))
    assert model_hash(load_model(killed)) == model_hash(load_model(whole))
    assert epochs(killed) == epochs(whole)
    assert [line["epoch"] for line in epochs(whole)] == list(range(1, 41))
    read = [(out / "records.jsonl").read_bytes() for out in (whole, killed)]
    assert read[0] == read[1] and read[0].count(b"\n") == 64
    summary = json.loads((whole / "summary.json").read_text())
    assert summary["steps"] == 40 * 21 and summary["images"] == 40 * 21 * 64
    assert 0 < summary["robust_accuracy"] <= summary["clean_accuracy"] <= 1
    origin = load_model(whole).spec.origin
    assert origin["fields"]["source"] == "digits:train"
    # Finished: the same command says so, and changes nothing.
    before = (killed / "summary.json").stat().st_mtime_ns
    assert "finished before" in finish(start(killed))
    assert (killed / "summary.json").stat().st_mtime_ns == before


BAD = {
    "too small": (["--arch=vgg11"], "a vgg11 cannot read images of 8x8 pixels"),
    "small": (["--arch=densenet121"], "a densenet121 cannot read images of 8x8"),
    "architecture": (["--arch=resnet21"], "resnet21"),
    "no_architecture": (["--arch="], "--arch"),
    "options": (['--arch_options={"depth": 3}'], "depth"),
    "json": (["--arch_options=widths"], "JSON"),
    "eps": (["--adversarial=pgd", "--eps=8"], "8/255"),
    "no_eps": (["--adversarial=pgd"], "eps"),
    "noise": (["--adversarial=pgd", "--eps=0.1", "--noise=0.1"], "--noise"),
    "steps": (["--adversarial=fgsm", "--eps=0.1", "--attack_steps=3"], "steps"),
    "one_step": (
        ["--adversarial=fgsm_regularized", "--eps=0.1", "--attack_steps=3"],
        "steps",
    ),
    "source": (["--source=digits:validation"], "validation"),
    "missing_source": (["--source=npz:MISSING/x.npz"], "x.npz"),
    "two_sources": (["--source=digits:train,npz:THREE"], "image_shape"),
    "eval_source": (["--eval_source=npz:THREE"], "THREE"),
    "classes": (["--arch=", "--init=MODEL", "--source=npz:THREE"], "classes"),
    "init_and_arch": (["--init=MODEL", "--arch=resnet20"], "--arch"),
    "init": (["--arch=", "--init=NOWHERE"], "NOWHERE"),
    "augment": (["--augment=rotate"], "rotate"),
    "batch": (["--batch_size=100000"], "batch_size"),
}


def test_bad_input_is_one_line_and_leaves_nothing(tmp_path):
    images = np.zeros((200, 6, 6, 1), np.uint8)
    np.savez(tmp_path / "three.npz", x=images, y=np.arange(200) % 3)
    spec = ModelSpec("small_cnn", {"widths": [2]}, (0.0,), (1.0,), 10, (8, 8, 1), {})
    save_model(tmp_path / "model", create_model(jax.random.key(0), spec))
    places = {
        "THREE": str(tmp_path / "three.npz"),
        "MODEL": str(tmp_path / "model"),
        "NOWHERE": str(tmp_path / "nowhere"),
        "MISSING": str(tmp_path / "missing"),
    }
    base = ["--source=digits:train", "--arch=small_cnn", f"--out={tmp_path / 'out'}"]

    def place(text):
        for name, path in places.items():
            text = text.replace(name, path)
        return text

    for name, (arguments, word) in BAD.items():
        flags = [*base, *(place(argument) for argument in arguments)]
        code, out, text = run("train_classifier", *flags)
        assert (code, out, text.count("\n")) == (2, "", 1), (name, text)
        assert text.startswith("error: ") and place(word) in text, (name, text)
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "letter.txt").write_text("mine")
    process = start(tmp_path)
    text, _ = process.communicate(timeout=300)
    assert process.returncode == 2
    assert text.startswith("error: ") and str(tmp_path) in text
    assert text.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["letter.txt"]
