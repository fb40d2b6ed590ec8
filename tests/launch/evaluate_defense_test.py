"""Evaluations of defended models from the command line."""

import concurrent.futures
import csv
import json
import time

import jax
import numpy as np
import pytest

from mspd_jax import models
from tests.evaluate import digit_models
from tests.launch import mains

_IMAGES = 24


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    """A plain model, and digits without a black pixel with the labels that it gives.

    At exactly 0 gradient concealment conceals nothing.
    """
    path = tmp_path_factory.mktemp("ground")
    models.save_model(path / "one" / "model", digit_models.network("none"))
    digits, _ = digit_models.digits(limit=_IMAGES)
    images = np.rint(255 * (0.1 + 0.8 * digits)).astype(np.uint8)
    predict = models.predictor(models.load_model(path / "one"))
    logits = jax.vmap(predict)(images.astype(np.float32) / 255)
    np.savez(path / "images.npz", x=images, y=np.argmax(logits, axis=1))
    return path


def _flags(ground, out, *flags):
    source = f"--source=npz:{ground}/images.npz"
    return (
        source,
        f"--target={ground}/one",
        f"--out={out}",
        "--eps=0.08",
        f"--batch_size={_IMAGES}",
        *flags,
    )


def _evaluate(ground, out, *flags):
    code, text, err = mains.run("evaluate", *_flags(ground, out, *flags))
    assert code == 0, err
    return text


def _summary(out):
    return json.loads((out / "summary.json").read_text())


def test_a_concealed_gradient_is_no_robustness(ground, tmp_path):
    flags = ("--attack=pgd-10", "--check_images=16")
    _evaluate(ground, tmp_path / "plain", *flags)
    text = _evaluate(ground, tmp_path / "gcm", "--defense=gcm", *flags)
    plain, concealed = (_summary(tmp_path / name) for name in ("plain", "gcm"))
    assert list(concealed["attacks"]) == [
        "pgd-10",
        "bpda:pgd-10",
        "static:pgd-10",
        "square-1000",
    ]
    assert concealed["defense"] == "gcm"
    assert plain["clean_accuracy"] == concealed["clean_accuracy"] == 1.0
    # What its authors saw, and what there is.
    assert concealed["claimed_accuracy"] == concealed["attacks"]["pgd-10"] > 0.7
    worst = concealed["robust_accuracy"]
    assert worst < 0.4 and abs(worst - plain["robust_accuracy"]) <= 2 / _IMAGES
    assert plain["reliable"] and not concealed["reliable"]
    failed = {c["name"] for c in concealed["reliability"] if c["passed"] is False}
    assert {"sign coherence", "gradient is the derivative"} <= failed
    assert text.index("robust_accuracy") < text.index("claimed_accuracy")
    # Without a defense all is as it was before there were defenses.
    assert "claimed_accuracy" not in plain and "defense" not in plain
    fields = json.loads((tmp_path / "plain" / "run.json").read_text())["fields"]
    assert fields["defense"] is None and fields["purify"] is None


@pytest.mark.slow
def test_purifiers_side_by_side(ground, tmp_path):
    out = tmp_path / "sweep"
    flags = ("--attack=fgsm", "--check_images=0", "--save_images")
    _evaluate(ground, out, "--purify=none,bits:3,jpeg:75", *flags)
    rows = _summary(out)["runs"]
    assert [row["purify"] for row in rows] == ["none", "bits:3", "jpeg:75"]
    assert [row.get("defense") for row in rows] == [None, "bits:3", "jpeg:75"]
    attacks = ["static:fgsm", "fgsm", "bpda:fgsm", "square-1000"]
    assert [list(row["attacks"]) for row in rows] == [["fgsm"], attacks, attacks]
    for row in rows[1:]:
        assert row["claimed_accuracy"] == row["attacks"]["static:fgsm"]
        assert row["robust_accuracy"] == row["attacks"]["square-1000"]
    folder = out / "one" / "jpeg_75" / "eps_0.08"
    lines = (folder / "records.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert {record["defense"] for record in records} == {"jpeg:75"}
    first = next(r for r in records if "static:fgsm" in r["attacks"])
    assert (folder / first["attacks"]["static:fgsm"]["file"]).exists()
    # What is not purified is a run as any other.
    told = json.loads((out / "one" / "none" / "eps_0.08" / "run.json").read_text())
    assert told["fields"]["defense"] is None and told["fields"]["purify"] == "none"
    _check_report(out, tmp_path / "report")


def _check_report(runs_folder, out):
    code, text, err = mains.run("report", f"--runs={runs_folder}", f"--out={out}")
    assert code == 0, err
    lines = (out / "report.csv").read_text().splitlines()
    rows = {row["defense"]: row for row in csv.DictReader(lines)}
    assert rows.keys() == {"", "bits:3", "jpeg:75"}
    claimed = float(rows["jpeg:75"]["claimed_accuracy"])
    assert claimed == float(rows["jpeg:75"]["after:static:fgsm"])
    assert rows[""]["claimed_accuracy"] == ""
    head = text.splitlines()[0]
    order = [
        "model",
        "defense",
        "robust % (worst case)",
        "claimed %",
        "after bpda:fgsm",
    ]
    places = [head.index(name) for name in order]
    assert places == sorted(places)


@pytest.mark.slow
def test_more_purifiers_later_and_attacks_as_they_are_named(ground, tmp_path):
    out = tmp_path / "sweep"
    flags = ("--attack=fgsm", "--noadaptive", "--check_images=0", "--eps=0.08,0.02")
    _evaluate(ground, out, "--purify=none,gaussian:1", *flags)
    file = out / "one" / "gaussian_1" / "eps_0.08" / "summary.json"
    before = file.read_bytes()
    _evaluate(ground, out, "--purify=gaussian:1,none,median:3", *flags)
    assert file.read_bytes() == before  # its seconds, too
    rows = _summary(out)["runs"]
    order = [(row["purify"], row["eps"]) for row in rows]
    purifiers = ("gaussian:1", "none", "median:3")
    assert order == [(p, eps) for p in purifiers for eps in ("0.02", "0.08")]
    for row in rows:
        assert list(row["attacks"]) == ["fgsm"]
        # Nothing was asked in the setting of the claim.
        assert "claimed_accuracy" not in row
    # Adaptive attacks are another evaluation.
    flags = (flags[0], *flags[2:])
    code, _, err = mains.run(
        "evaluate", *_flags(ground, out, "--purify=median:3", *flags)
    )
    assert code == 2 and "--adaptive was False, now True" in err


@pytest.mark.slow
def test_a_killed_evaluation_of_a_random_defense_goes_on(ground, tmp_path):
    models.save_model(tmp_path / "two", digit_models.network("fgsm"))
    flags = (
        "--defense=gcm,resize:0.9",
        "--attack=pgd-5",
        "--check_images=0",
        f"--surrogate={tmp_path}/two",
        "--batch_size=4",
    )
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    _evaluate(ground, whole, *flags)
    attacks = [
        "pgd-5",
        "bpda:pgd-5",
        "eot:pgd-5",
        "static:pgd-5",
        "eot:square-100",
        "transfer:pgd-5",
    ]
    assert list(_summary(whole)["attacks"]) == attacks
    process = mains.start("evaluate", *_flags(ground, killed, *flags))
    journal = killed / "stages.jsonl"
    while not (journal.exists() and '"stage": "pgd-5"' in journal.read_text()):
        assert process.poll() is None, "finished before it could be killed"
        time.sleep(0.05)
    process.kill()
    process.communicate()
    _evaluate(ground, killed, *flags)
    one, other = ((out / "records.jsonl").read_bytes() for out in (whole, killed))
    assert one == other
    # Another network under the same name is another run.
    models.save_model(tmp_path / "two", digit_models.network("none"), overwrite=True)
    code, _, err = mains.run("evaluate", *_flags(ground, killed, *flags))
    assert code == 2 and "models.surrogate was" in err


def test_the_weights_of_a_defense_decide_whose_run_it_is(ground, tmp_path):
    def save(seed):
        spec = models.ModelSpec(
            "dncnn", {"depth": 2, "width": 4}, (0.0,), (1.0,), 0, (8, 8, 1), {}
        )
        model = models.create_model(jax.random.key(seed), spec)
        models.save_model(tmp_path / "net", model, overwrite=True)

    save(0)
    flags = (f"--defense=denoiser:{tmp_path}/net", "--attack=none", "--check_images=0")
    out = tmp_path / "out"
    _evaluate(ground, out, *flags)
    told = json.loads((out / "run.json").read_text())
    assert told["models"].keys() == {"target", "denoiser"}
    assert told["fields"]["adaptive"] is True and told["fields"]["purify"] is None
    save(1)
    code, _, err = mains.run("evaluate", *_flags(ground, out, *flags))
    assert code == 2 and "models.denoiser was" in err


_CASES = {
    "unknown defense": (["--defense=gmc"], ["unknown defense 'gmc'", "gcm, trn:CKPT"]),
    "no checkpoint": (["--defense=trn:{}/nothing"], ["no model", "/nothing"]),
    "no purifier": (["--purify="], ["--purify names no purifier", "jpeg:75"]),
    "a purifier twice": (["--purify=none,none"], ["names a purifier twice"]),
    "a view that it has not": (
        ["--defense=gcm", "--attack=eot:pgd"],
        ["no view 'eot'", "bpda, static"],
    ),
}


@pytest.fixture(scope="module")
def answers(ground):
    """All cases at once: starting Python takes most of the time."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        futures = {
            name: pool.submit(
                mains.run,
                "evaluate",
                *_flags(ground, ground / name, *(flag.format(ground) for flag in case)),
            )
            for name, (case, _) in _CASES.items()
        }
        return {name: future.result() for name, future in futures.items()}


@pytest.mark.parametrize("name", _CASES)
def test_one_line_code_two_nothing_written(ground, answers, name):
    code, text, err = answers[name]
    assert (code, text) == (2, ""), err
    assert err.startswith("error: ") and err.count("\n") == 1, err
    for word in _CASES[name][1]:
        assert word in err
    assert not (ground / name).exists()
