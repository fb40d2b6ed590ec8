"""train_trn as a program: it restores, resumes, and refuses what does not fit."""

import json
import signal
import time

import numpy as np
import pytest

from mspd_jax import models
from tests.launch.mains import run, save_small_model, start

SOURCE = ("--source=digits:train", "--eps=0.15")


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    out = tmp_path_factory.mktemp("ground") / "classifier"
    code, _, err = run(
        "train_classifier",
        "--source=digits:train",
        "--arch=small_cnn",
        "--epochs=6",
        f"--out={out}",
    )
    assert code == 0, err
    return out


def training(classifier, out, *flags):
    sizes = '--arch_options={"width": 8, "stages": 1}'
    return (
        "train_trn",
        *SOURCE,
        f"--classifier={classifier}",
        sizes,
        "--attack_steps=2",
        f"--out={out}",
        *flags,
    )


WHOLE = (
    "--epochs=6",
    "--eval_source=digits:test",
    "--eval_limit=100",
    "--learning_rate=5e-3",
)


@pytest.fixture(scope="module")
def trained(classifier):
    out = classifier.parent / "trn"
    code, _, err = run(*training(classifier, out, *WHOLE))
    assert code == 0, err
    return out


@pytest.mark.slow
def test_restores_what_an_unaware_attacker_broke(classifier, trained):
    summary = json.loads((trained / "summary.json").read_text())
    plain, restored = summary["plain_accuracy"], summary["restored_accuracy"]
    assert restored["pgd-10"] > plain["pgd-10"] + 0.3
    assert restored["clean"] > plain["clean"] - 0.15
    assert "does not know of the network" in summary["warnings"][0]
    records = [json.loads(line) for line in (trained / "records.jsonl").open()]
    assert len(records) == 100
    right = [record["restored"]["fgsm"] == record["label"] for record in records]
    assert restored["fgsm"] == np.mean(right)
    model = models.load_model(trained)
    assert model.spec.options["rule"] == "predicted"
    assert model.spec.origin["classifier"] == models.function_hash(
        models.load_model(classifier)
    )
    code, told, _ = run(*training(classifier, trained, *WHOLE))
    assert (code, "finished before" in told) == (0, True)


@pytest.mark.slow
def test_goes_on_with_the_same_rule_alone(classifier, trained, tmp_path):
    flags = (f"--init={trained}", "--rule=uniform")
    code, _, err = run(*training(classifier, tmp_path / "b", *flags))
    assert (code, err.count("\n")) == (2, 1)
    assert "rule 'predicted'" in err
    assert not (tmp_path / "b").exists()


@pytest.mark.slow
def test_an_adaptive_attacker_leaves_less_than_the_claim(classifier, trained, tmp_path):
    def evaluated(target, out):
        code, _, err = run(
            "evaluate",
            "--source=digits:test",
            "--limit=64",
            f"--target={target}",
            f"--defense=trn:{trained}",
            "--attack=pgd-10,square-100",
            "--eps=0.15",
            f"--out={out}",
            "--check_images=0",
        )
        assert code == 0, err
        return json.loads((out / "summary.json").read_text())

    summary = evaluated(classifier, tmp_path / "own")
    assert summary["claimed_accuracy"] > summary["robust_accuracy"] + 0.2
    assert {"static:pgd-10", "pgd-10", "detached:pgd-10", "bpda:pgd-10"} <= set(
        summary["attacks"]
    )
    assert summary["warnings"] == []
    save_small_model(tmp_path / "other")
    summary = evaluated(tmp_path / "other", tmp_path / "foreign")
    assert "'trn' was trained for another classifier" in summary["warnings"][0]


@pytest.mark.slow
def test_killed_training_ends_with_the_same_weights(classifier, tmp_path):
    flags = ("--epochs=3", "--checkpoint_every=3", "--rule=all", "--batch_size=100")
    code, _, err = run(*training(classifier, tmp_path / "whole", *flags))
    assert code == 0, err
    killed = training(classifier, tmp_path / "killed", *flags)
    process = start(*killed)
    saved = tmp_path / "killed" / "checkpoints"
    while process.poll() is None and not any(
        path.name.isdigit() for path in saved.glob("*")
    ):
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "killed" / "summary.json").exists(), "it ended too early"
    code, _, err = run(*killed)
    assert code == 0, err
    one, other = (models.load_model(tmp_path / name) for name in ("whole", "killed"))
    assert models.model_hash(one) == models.model_hash(other)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--mix=fgsm:0.5,pgd:0.6",), ["mix", "sum to 1", "1.1"]),
        (("--mix=fgsm",), ["--mix: 'fgsm'", "clean:0.5,pgd:0.5"]),
    ],
)
def test_refusals_are_one_line_and_write_nothing(classifier, tmp_path, flags, told):
    out = tmp_path / "out"
    code, _, err = run(*training(classifier, out, *flags))
    assert (code, err.count("\n")) == (2, 1), err
    assert not out.exists()
    for words in told:
        assert words in err
