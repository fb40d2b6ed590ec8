"""The certification main as a user runs it."""

import base64
import http.server
import io
import json
import os
import signal
import threading
import time

import jax
import numpy as np
import pytest
from scipy import stats

from mspd_jax import data, models
from tests.launch import mains

FLAGS = (
    "--source=digits:test",
    "--every=100",
    "--sigma=0.2",
    "--samples=400",
    "--selection=30",
    "--seed=3",
)


def save_denoiser(path, sigma, channels=1):
    spec = models.ModelSpec(
        "dncnn",
        {"depth": 3, "width": 4},
        (0.0,) * channels,
        (1.0,) * channels,
        0,
        (8, 8, channels),
        {} if sigma is None else {"sigma": sigma},
    )
    models.save_model(path, models.create_model(jax.random.key(1), spec))


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    path = tmp_path_factory.mktemp("ground")
    mains.save_small_model(path / "model", seed=5)
    save_denoiser(path / "denoiser", 0.2)
    save_denoiser(path / "other", 0.5)
    save_denoiser(path / "unknown", None)
    save_denoiser(path / "colored", 0.2, channels=3)
    images, _ = data.load_arrays(data.open_source("digits:test", limit=3))
    np.savez(path / "unlabeled.npz", x=images)
    return path


def certify(ground, out, *flags, devices=None):
    return mains.run("certify", *FLAGS, *flags, f"--out={out}", devices=devices)


def records(out):
    return [json.loads(line) for line in (out / "records.jsonl").open()]


@pytest.fixture(scope="module")
def whole(ground):
    """A run on one device, all samples drawn."""
    out = ground / "whole"
    code, _, err = certify(
        ground, out, f"--target={ground}/model", "--early_stop=none", devices=1
    )
    assert code == 0, err
    return out


def test_records_hold_votes_and_what_follows_from_them(whole):
    found = records(whole)
    assert [r["index"] for r in found] == list(range(0, 500, 100)) or len(found) > 3
    for r in found:
        assert (sum(r["selection"]), sum(r["estimation"])) == (30, 400)
        top = int(np.argmax(r["selection"]))
        p = stats.binomtest(r["estimation"][top], 400).proportion_ci(0.998).low
        radius = max(0.0, 0.2 * stats.norm.ppf(p))
        assert r["radius"] == pytest.approx(radius, rel=1e-9)
        assert r["radius"] <= radius + 1e-15
        assert r["prediction"] == (top if radius > 0 else -1)
        assert r["correct"] == (r["prediction"] == r["label"])
    summary = json.loads((whole / "summary.json").read_text())
    for text, share in summary["certified"].items():
        right = [r["correct"] and r["radius"] >= float(text) for r in found]
        assert share == pytest.approx(np.mean(right))


@pytest.mark.parametrize(
    ("devices", "flags"),
    [
        (2, ("--split=samples", "--chunk=33")),
        (4, ("--split=images", "--chunk=400", "--batch_size=2")),
    ],
)
def test_devices_chunks_and_batches_change_nothing(
    ground, whole, tmp_path, devices, flags
):
    target = f"--target={ground}/model"
    code, _, err = certify(
        ground, tmp_path, target, "--early_stop=none", *flags, devices=devices
    )
    assert code == 0, err
    assert records(tmp_path) == records(whole)


def test_exact_stopping_changes_no_claim(ground, whole, tmp_path):
    code, _, err = certify(ground, tmp_path, f"--target={ground}/model")
    assert code == 0, err
    claims = [
        [(r["prediction"], r["radius"]) for r in records(p)] for p in (tmp_path, whole)
    ]
    assert claims[0] == claims[1]


def test_a_killed_run_goes_on_and_ends_with_the_same_records(ground, tmp_path):
    flags = (*FLAGS[:1], "--every=10", *FLAGS[2:], f"--target={ground}/model")
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    code, _, err = mains.run("certify", *flags, f"--out={whole}", devices=1)
    assert code == 0, err
    process = mains.start("certify", *flags, f"--out={killed}", devices=1)
    log = killed / "records.jsonl"
    while not (log.exists() and log.read_text().count("\n") >= 3):
        assert process.poll() is None, process.communicate()[1][-2000:]
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (killed / "summary.json").exists()
    with log.open("a") as file:
        file.write(log.read_text().splitlines()[0][:30])  # torn in mid-write
    code, _, err = mains.run("certify", *flags, f"--out={killed}", devices=1)
    assert code == 0, err
    assert log.read_bytes() == (whole / "records.jsonl").read_bytes()


def test_a_denoiser_of_another_sigma_is_refused_unless_forced(ground, tmp_path):
    flags = (f"--target={ground}/model", "--method=denoised", "--samples=40")
    for name, words in (("other", "sigma 0.5"), ("unknown", "unknown noise")):
        given = f"--denoiser={ground}/{name}"
        code, out, err = certify(ground, tmp_path / name, *flags, given)
        assert (code, out, err.count("\n")) == (2, "", 1), err
        assert words in err and "--force_sigma" in err
        assert not (tmp_path / name).exists()
    given = f"--denoiser={ground}/other"
    code, out, err = certify(ground, tmp_path / "b", *flags, given, "--force_sigma")
    assert code == 0, err
    assert "the denoiser's own sigma was not asked for" in err


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--target={}/model", "--samples=5"), ["5 samples", "alpha"]),
        (("--target={}/denoiser",), ["denoiser, not a classifier"]),
        (("--target={}/model", "--method=denoised"), ["--denoiser=CKPT"]),
        (
            ("--target={0}/model", "--method=denoised", "--denoiser={0}/model"),
            ["classifier, not a denoiser"],
        ),
        ((), ["--target", "--query"]),
        (("--query=ftp://host/x",), ["ftp", "accepted"]),
        (("--target={}/model", "--sigma=-1"), ["sigma", "-1"]),
        (("--target={}/model", "--alpha=2"), ["alpha", "2"]),
        (
            ("--target={0}/model", "--method=denoised", "--denoiser={0}/colored"),
            ["--denoiser", "3 channels, not 1"],
        ),
        (("--target={}/model", "--offline"), ["--offline", "--query"]),
        (("--query=python:math:sqrt", "--query_timeout=0"), ["query_timeout"]),
        (("--query=python:math:sqrt", "--query_log={}"), ["queries.jsonl"]),
        (("--query=python:math:sqrt", "--num_classes=7"), ["7", "--query"]),
        (
            ("--query=python:math:sqrt", "--num_classes=3", "--class_names=a,b"),
            ["2 names", "--num_classes=3"],
        ),
    ],
)
def test_bad_input_is_told_in_one_line(ground, tmp_path, flags, words):
    out = tmp_path / "out"
    code, said, err = certify(ground, out, *(f.format(ground) for f in flags))
    assert (code, said) == (2, ""), err
    assert err.startswith("error: ") and err.count("\n") == 1, err
    for word in words:
        assert word in err
    assert not out.exists()


@pytest.fixture
def service(ground):
    """An HTTP classifier on loopback: the model, behind the documented protocol."""
    predict = jax.jit(jax.vmap(models.predictor(models.load_model(ground / "model"))))
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):  # noqa: N802
            body = self.rfile.read(int(self.headers["Content-Length"]))
            files = [base64.b64decode(x) for x in json.loads(body)["images"]]
            images = np.stack([np.load(io.BytesIO(file)) for file in files])
            asked.append(len(images))
            labels = np.argmax(predict(images), axis=1).tolist()
            answer = json.dumps({"labels": labels}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/classify", asked
    server.shutdown()


def test_a_service_that_is_asked_gives_the_same_records(
    ground, whole, service, tmp_path
):
    url, asked = service
    flags = (f"--query={url}", "--early_stop=none", "--query_batch=200")
    first, again, other = (tmp_path / name for name in ("first", "again", "other"))
    code, _, err = certify(ground, first, *flags)
    assert code == 0, err
    assert records(first) == records(whole)
    count = len(records(whole))
    assert sum(asked) == count * 430
    # The same from the answers alone, and at another alpha: nothing is asked again.
    log = f"--query_log={first}"
    code, _, err = certify(ground, again, *flags, log, "--offline")
    assert code == 0, err
    assert records(again) == records(first)
    code, _, err = certify(ground, other, *flags, log, "--offline", "--alpha=0.05")
    assert code == 0, err
    pairs = zip(records(first), records(other), strict=True)
    assert all(b["radius"] >= a["radius"] for a, b in pairs)
    assert sum(asked) == count * 430
    code, _, err = certify(ground, tmp_path / "none", *flags, "--offline")
    assert code == 2 and "--offline" in err and err.count("\n") == 1, err
    assert not (tmp_path / "none").exists()


def test_images_without_labels_are_certified_and_not_scored(ground, tmp_path):
    code, _, err = mains.run(
        "certify",
        f"--source=npz:{ground}/unlabeled.npz",
        "--sigma=0.2",
        "--query=python:tests.launch.queried:second",
        "--num_classes=3",
        "--samples=60",
        "--early_stop=fast",
        f"--out={tmp_path / 'out'}",
    )
    assert code == 0, err
    found = records(tmp_path / "out")
    # It says "second class" of all images but those it does not know at all.
    assert [r["prediction"] for r in found] == [1, 1, 1]
    assert not any(r["correct"] for r in found)
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["abstained"] == 0 and "certified" not in summary
    assert "without labels" in err and "name no class" in err


def test_a_classifier_that_is_refused_at_its_first_answer_leaves_no_run(
    ground, tmp_path
):
    out = tmp_path / "out"
    code, _, err = certify(ground, out, "--query=python:tests.launch.queried:scalar")
    assert code == 2
    assert err.splitlines()[-1].startswith("error: the classifier answered int64 []")
    assert not out.exists()
