"""Devices of a machine divided among workers, before any of them starts."""

import pytest

from mspd_jax.drive import _shares, device_shares
from mspd_jax.errors import InputError

COUNT = "--xla_force_host_platform_device_count="


@pytest.fixture
def machine(monkeypatch):
    """Says what the machine has, in the place of what it has."""

    def have(cores=8, gpus=None, files=0, packages=(), platforms=None):
        monkeypatch.setattr(_shares, "_cores", lambda: list(range(cores)))
        monkeypatch.setattr(_shares, "_installed", lambda name: name in packages)
        numbers = [str(number) for number in range(files)]
        monkeypatch.setattr(
            _shares,
            "_numbers",
            lambda pattern: (
                numbers if "nvidia" in pattern or "accel" in pattern else []
            ),
        )
        for name, value in (
            ("CUDA_VISIBLE_DEVICES", gpus),
            ("JAX_PLATFORMS", platforms),
        ):
            monkeypatch.delenv(name, raising=False)
            if value is not None:
                monkeypatch.setenv(name, value)

    monkeypatch.setenv("XLA_FLAGS", f"--other=1 {COUNT}3")
    return have


def test_cores_are_shared_out_with_a_device_for_each(machine):
    machine(cores=5)
    shares = device_shares(2)
    assert [share.cores for share in shares] == [{0, 2, 4}, {1, 3}]
    assert [share.environment for share in shares] == [
        {"XLA_FLAGS": f"--other=1 {COUNT}3"},
        {"XLA_FLAGS": f"--other=1 {COUNT}2"},
    ]
    machine(cores=2)
    assert [share.cores for share in device_shares(3)] == [{0}, {1}, {0}]


def test_there_are_as_many_workers_as_suit_the_machine(machine):
    machine(cores=2)
    assert len(device_shares()) == 2
    machine(cores=32)
    assert len(device_shares()) == 8
    assert len(device_shares(most=3)) == 3
    flags = device_shares(1)[0].environment["XLA_FLAGS"]
    assert flags.endswith("count=4")  # and no more, for the memory


def test_gpus_are_shared_out(machine):
    machine(files=4, packages=["jax_cuda12_plugin"])
    assert [s.environment["CUDA_VISIBLE_DEVICES"] for s in device_shares()] == list(
        "0123"
    )
    found = [s.environment["CUDA_VISIBLE_DEVICES"] for s in device_shares(2)]
    assert found == ["0,2", "1,3"]
    assert device_shares(2)[0].cores is None


def test_only_gpus_that_are_visible_are_shared_out(machine):
    machine(gpus="5, 7", files=8, packages=["jax_cuda12_plugin"])
    assert [s.environment for s in device_shares()] == [
        {"CUDA_VISIBLE_DEVICES": "5"},
        {"CUDA_VISIBLE_DEVICES": "7"},
    ]
    machine(gpus="", files=8, packages=["jax_cuda12_plugin"])
    assert "XLA_FLAGS" in device_shares(1)[0].environment


def test_workers_on_one_gpu_share_its_memory(machine):
    machine(gpus="0", packages=["jax_cuda12_plugin"])
    assert [s.environment for s in device_shares(3)] == [
        {"CUDA_VISIBLE_DEVICES": "0", "XLA_PYTHON_CLIENT_MEM_FRACTION": "0.30"}
    ] * 3


@pytest.mark.parametrize(
    "how",
    [
        {"files": 4},  # JAX has no plugin for them
        {"files": 4, "packages": ["jax_cuda12_plugin"], "platforms": "cpu"},
        {"files": 4, "packages": ["libtpu"], "platforms": "cpu"},
    ],
)
def test_accelerators_that_jax_would_not_use_are_none(machine, how):
    machine(**how)
    assert "XLA_FLAGS" in device_shares(2)[1].environment


def test_chips_of_a_tpu_are_shared_out_as_they_lie(machine):
    machine(files=4, packages=["libtpu"])
    assert len(device_shares()) == 4
    two = device_shares(2)[1].environment
    assert two["TPU_VISIBLE_CHIPS"] == "1,3"
    assert two["TPU_CHIPS_PER_PROCESS_BOUNDS"] == "1,2,1"
    with pytest.raises(InputError, match="`workers`=3: 4 TPU chips cannot"):
        device_shares(3)
