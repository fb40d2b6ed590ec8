"""Where and how the cells of a sweep are run; none of it reaches their results."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from mspd_jax.errors import InputError
from mspd_jax.jobs._option import option

_SLURM = "for `executor`=slurm and `print`=slurm: "


@dataclasses.dataclass(frozen=True, kw_only=True)
class SweepMachine:
    """How a sweep is worked off; its cells' results are the same on each."""

    executor: str = option(
        "local",
        help="what runs the cells: local (worker processes on this machine), ray (an "
        "existing Ray cluster), slurm (job arrays), here (this process, one by one)",
        choices=("local", "ray", "slurm", "here"),
    )
    workers: int | None = option(
        None,
        help="worker processes of `executor`=local, which share out the devices "
        "[default: one per GPU or TPU chip; else one per four cores, at least two]; of "
        "`print`, how many cells run at a time",
        lower=1,
    )
    cell_resources: tuple[str, ...] = option(
        (),
        help="what a cell is given by an engine, as in CPU=4,GPU=1 or TPU=4",
    )
    ray_address: str = option(
        "auto", help="Ray cluster; auto: the one that this machine belongs to"
    )
    slurm_partition: str | None = option(None, help=_SLURM + "partition")
    slurm_account: str | None = option(None, help=_SLURM + "account")
    slurm_qos: str | None = option(None, help=_SLURM + "quality of service")
    slurm_time: int | None = option(
        None, help=_SLURM + "minutes that a cell may take at a time", lower=1
    )
    slurm_mem_gb: float | None = option(
        None, help=_SLURM + "memory of a cell", lower=0.0
    )
    slurm_extra: tuple[str, ...] = option(
        (), help=_SLURM + "further options, as in constraint=a100,reservation=mine"
    )
    slurm_cluster: str = option(
        "slurm",
        help="where submitit submits to: slurm; local or debug to try it without one",
        choices=("slurm", "local", "debug"),
    )
    print: str | None = option(
        None,
        help="run nothing, and print a file that does: a Kubernetes JobSet, a script "
        "for sbatch, a script of xpk workloads",
        choices=("jobset", "slurm", "xpk"),
    )
    cell: int | None = option(
        None,
        help="run this one cell here, with all devices: what the workers of `print` do "
        "(cells are counted from 0, in the order of the plan)",
        lower=0,
    )
    image: str = option(
        "IMAGE", help="for `print`: container image that has mspd_jax installed"
    )
    tpu_accelerator: str | None = option(
        None, help="for `print`=jobset: TPU of GKE, as tpu-v5-lite-podslice"
    )
    tpu_topology: str | None = option(
        None, help="for `print`=jobset: slice of a cell, as 2x4 or 2x2x2"
    )
    xpk_cluster: str = option("CLUSTER", help="for `print`=xpk: name of the cluster")
    tpu_type: str | None = option(
        None, help="for `print`=xpk: slice of a cell, as v5litepod-16"
    )


def amounts(field: str, texts: Sequence[str]) -> dict[str, float]:
    """`CPU=4,GPU=1` as numbers by name."""
    found = {}
    for name, value in pairs(field, texts).items():
        try:
            found[name] = float(value)
        except ValueError:
            found[name] = -1.0
        if not found[name] >= 0:
            raise InputError(
                f"`{field}`={name}={value}: expected an amount, as in GPU=1"
            )
        if found[name] == int(found[name]):
            found[name] = int(found[name])
    return found


def pairs(field: str, texts: Sequence[str]) -> dict[str, str]:
    """`a=1,b=2` as texts by name."""
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            raise InputError(f"`{field}`={text}: expected NAME=VALUE, with commas")
        found[name] = value
    return found


def slurm_parameters(machine: SweepMachine) -> dict[str, Any]:
    """The parameters of submitit that the fields say."""
    resources = amounts("cell_resources", machine.cell_resources)
    unknown = resources.keys() - {"CPU", "GPU"}
    if unknown:
        raise InputError(
            f"`cell_resources`={sorted(unknown)[0]}: SLURM has CPU and GPU here; name "
            "others with `slurm_extra`, as in gres=tpu:4"
        )
    found = {
        "name": "mspd-sweep",
        "timeout_min": machine.slurm_time,
        "mem_gb": machine.slurm_mem_gb,
        "cpus_per_task": resources.get("CPU"),
        "gpus_per_node": resources.get("GPU"),
        "slurm_partition": machine.slurm_partition,
        "slurm_account": machine.slurm_account,
        "slurm_qos": machine.slurm_qos,
        "slurm_array_parallelism": machine.workers,
        "slurm_additional_parameters": pairs("slurm_extra", machine.slurm_extra),
    }
    return {name: value for name, value in found.items() if value not in (None, {})}
