"""What engines are told: resources, options of SLURM."""

import pytest

from mspd_jax.errors import InputError
from mspd_jax.jobs.sweeps._machine import SweepMachine, amounts, slurm_parameters


def test_amounts_are_whole_where_they_can_be():
    found = amounts("cell_resources", ("CPU=2", "GPU=0.5", "TPU=4"))
    assert found == {"CPU": 2, "GPU": 0.5, "TPU": 4}
    assert isinstance(found["CPU"], int)


@pytest.mark.parametrize("text", ["GPU", "GPU=", "=1", "GPU=many", "GPU=-1", "GPU=nan"])
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(InputError, match="`cell_resources`="):
        amounts("cell_resources", (text,))


def test_slurm_gets_what_is_said_alone():
    assert slurm_parameters(SweepMachine()) == {"name": "mspd-sweep"}
    machine = SweepMachine(
        cell_resources=("CPU=4", "GPU=1"),
        workers=8,
        slurm_time=30,
        slurm_mem_gb=16.0,
        slurm_partition="gpu",
        slurm_extra=("constraint=a100",),
    )
    assert slurm_parameters(machine) == {
        "name": "mspd-sweep",
        "cpus_per_task": 4,
        "gpus_per_node": 1,
        "slurm_array_parallelism": 8,
        "timeout_min": 30,
        "mem_gb": 16.0,
        "slurm_partition": "gpu",
        "slurm_additional_parameters": {"constraint": "a100"},
    }
    with pytest.raises(InputError, match="`cell_resources`=TPU"):
        slurm_parameters(SweepMachine(cell_resources=("TPU=4",)))
