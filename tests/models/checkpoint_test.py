"""What is saved loads as it was; anything else is refused in one line."""

import hashlib
import json
import os
import pathlib
import subprocess
import sys

import jax
import numpy as np
import pytest
from orbax.checkpoint import v1 as ocp

from mspd_jax import models
from mspd_jax.errors import InputError
from mspd_jax.models import _checkpoint

SPEC = models.ModelSpec(
    architecture="small_cnn",
    options={"widths": [2, 3], "norm": True, "activation": "silu"},
    mean=(0.25,),
    std=(0.123456789,),
    num_classes=4,
    image_shape=(8, 8, 1),
    origin={"source": "model.pt", "sigma": 0.5, "flags": ["a", None]},
)


def make(seed=0, **changes):
    return models.create_model(jax.random.key(seed), SPEC._replace(**changes))


@pytest.fixture
def saved(tmp_path):
    models.save_model(tmp_path / "saved", make())
    return tmp_path / "saved"


def refusal(function, *args, **options):
    with pytest.raises(InputError) as caught:
        function(*args, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def assert_same(model, expected):
    assert model.spec == expected.spec
    assert list(model.variables) == list(expected.variables)
    jax.tree.map(np.testing.assert_array_equal, model.variables, expected.variables)


@pytest.mark.parametrize("norm", [True, False])
def test_a_saved_model_loads_as_it_was(tmp_path, norm):
    model = make(options={"widths": [2], "norm": norm})
    models.save_model(tmp_path / "new" / "folder", model)
    loaded = models.load_model(tmp_path / "new" / "folder")
    assert_same(loaded, model)
    assert models.model_hash(loaded) == models.model_hash(model)


def test_a_run_folder_loads_by_what_it_holds(tmp_path):
    models.save_model(tmp_path / "run" / "model", make())
    assert_same(models.load_model(str(tmp_path / "run")), make())


def test_a_shipped_model_loads_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(_checkpoint, "ZOO", tmp_path / "zoo")
    models.save_model(tmp_path / "zoo" / "tiny", make())
    assert_same(models.load_model("tiny"), make())
    message = refusal(models.load_model, "tinny")
    assert str(pathlib.Path("tinny").absolute()) in message
    assert "ship with the package are: tiny" in message


def test_the_hash_sees_every_change():
    hashes = {models.model_hash(make(seed)) for seed in (0, 0, 1)}
    assert len(hashes) == 2
    flat = {"params": {"a": np.zeros(6, np.float32)}}
    variants = [
        flat,
        {"params": {"b": np.zeros(6, np.float32)}},
        {"params": {"a": np.zeros((2, 3), np.float32)}},
        {"params": {"a": np.zeros(6, np.int32)}},
        {"params": {"a": np.float32([0, 0, 0, 0, 0, 1])}},
    ]
    assert len({models.model_hash(models.Model(SPEC, v)) for v in variants}) == 5


def test_the_hash_of_a_function_sees_what_computes_and_nothing_else():
    model = make()
    relu = SPEC.options | {"activation": "relu"}
    changes = ({"mean": (0.5,)}, {"std": (1.0,)}, {"options": relu})
    others = [model._replace(spec=SPEC._replace(**change)) for change in changes]
    changed = [model, make(1), *others]
    assert len({models.function_hash(m) for m in changed}) == 5
    same = SPEC._replace(origin={}, image_shape=(16, 16, 1))
    renamed = models.function_hash(model._replace(spec=same))
    assert renamed == models.function_hash(model)


def files_of(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("damage", ["flip", "truncate", "delete"])
def test_damage_to_any_file_is_refused(saved, damage):
    """Every file in turn, those of one byte and more in three places."""
    rng = np.random.default_rng(0)
    for path in files_of(saved):
        content = path.read_bytes()
        for _ in range(3 if damage == "flip" else 1):
            if damage == "delete":
                path.unlink()
            elif damage == "truncate":
                path.write_bytes(content[: len(content) // 2])
            elif content:
                flipped = bytearray(content)
                flipped[rng.integers(len(content))] ^= 1 << rng.integers(8)
                path.write_bytes(flipped)
            if content or damage == "delete":
                assert str(saved) in refusal(models.load_model, saved)
            path.write_bytes(content)
    assert_same(models.load_model(saved), make())


def rewrite(folder, change):
    """Changes the metadata and the list of sums, as someone with a mind to would."""
    path, sums = folder / "_CHECKPOINT_METADATA", folder / "SHA256SUMS"
    before, content = path.read_bytes(), json.loads(path.read_text())
    change(content["custom_metadata"])
    path.write_text(json.dumps(content))
    old, new = (hashlib.sha256(b).hexdigest() for b in (before, path.read_bytes()))
    sums.write_text(sums.read_text().replace(old, new))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda c: c.pop("spec"), "not a checkpoint of a model: 'spec'"),
        (lambda c: c["spec"].update(mean="x"), "is not a checkpoint of a model"),
        (lambda c: c["spec"].update(image_shape=[8, -1, 1]), "image_shape must be"),
        (lambda c: c["spec"].update(architecture="vgg"), "'vgg' does not exist"),
        (lambda c: c["spec"].update(surprise=1), "other fields"),
        (lambda c: c["spec"].update(num_classes=9), "other arrays than those of its"),
        (lambda c: c.update(arrays_sha256="0"), "arrays do not match"),
        (lambda c: c.clear(), "is not a checkpoint of a model"),
    ],
)
def test_rewritten_metadata_are_refused(saved, change, expected):
    rewrite(saved, change)
    assert expected in refusal(models.load_model, saved)


def test_what_is_no_model_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    ocp.save(tmp_path / "foreign", {"x": np.ones(2)})
    for name, expected in (
        ("missing", "there is no"),
        ("empty", "is not a model"),
        ("file", "is not a model"),
        ("foreign", "not a whole one of a model"),
    ):
        assert expected in refusal(models.load_model, tmp_path / name)


def test_nothing_is_overwritten_unasked(tmp_path, saved):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.png").write_text("x")
    ocp.save(tmp_path / "foreign", {"x": np.ones(2)})
    before = files_of(tmp_path)
    for name in ("photos", "foreign"):
        refusal(models.save_model, tmp_path / name, make(), overwrite=True)
    refusal(models.save_model, tmp_path / "photos" / "cat.png", make(), overwrite=True)
    refusal(models.save_model, tmp_path / "photos" / "cat.png" / "model", make())
    refusal(models.save_model, saved, make(1))
    assert files_of(tmp_path) == before
    assert_same(models.load_model(saved), make())
    models.save_model(saved, make(1), overwrite=True)
    assert_same(models.load_model(saved), make(1))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["foreign", "photos", "saved"]


def test_a_killed_save_leaves_no_checkpoint(tmp_path, monkeypatch):
    def kill(*_, **__):
        raise KeyboardInterrupt

    for step in (ocp, _checkpoint):
        name = "save" if step is ocp else "_put_in_place"
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(step, name, kill)
            models.save_model(tmp_path / "model", make())
        assert "there is no" in refusal(models.load_model, tmp_path / "model")
        for leftover in tmp_path.iterdir():
            assert "is not a model" in refusal(models.load_model, leftover)
    models.save_model(tmp_path / "model", make())
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("origin", [{"x": np.float32(1)}, {"x": {1, 2}}])
def test_origin_must_be_plain_data(tmp_path, origin):
    with pytest.raises(ValueError, match="JSON"):
        models.save_model(tmp_path / "model", make(origin=origin))
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_names_no_folder_of_its_maker(saved):
    for path in files_of(saved):
        assert str(saved.parent).encode() not in path.read_bytes()


@pytest.mark.slow
def test_other_devices_load_the_same_silently(saved):
    """A process of its own with eight devices: same hash, nothing on stderr."""
    code = (
        "import jax; from mspd_jax import models; assert jax.device_count() == 8; "
        f"print(models.model_hash(models.load_model({str(saved)!r})))"
    )
    flags = "--xla_force_host_platform_device_count=8"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        cwd=pathlib.Path(__file__).parents[2],
    )
    assert (done.stdout.strip(), done.stderr) == (models.model_hash(make()), "")
