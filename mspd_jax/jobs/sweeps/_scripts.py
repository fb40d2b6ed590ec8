"""Shell scripts of a sweep: an array for sbatch, workloads of xpk."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from mspd_jax.errors import InputError
from mspd_jax.jobs.sweeps._machine import SweepMachine, slurm_parameters

# Flags of sbatch by the parameters of submitit.
_SBATCH = {
    "name": "job-name",
    "timeout_min": "time",
    "cpus_per_task": "cpus-per-task",
    "gpus_per_node": "gpus-per-node",
    "slurm_partition": "partition",
    "slurm_account": "account",
    "slurm_qos": "qos",
}


def slurm_script(
    command: str,
    batches: Sequence[Any],
    machine: SweepMachine,
    resources: Mapping[str, float],
) -> str:
    """A script for sbatch; of a chain, one that hands its arrays in one by one.

    Jobs that are pre-empted are requeued, and go on where they were.
    """
    del resources  # they are among the parameters
    parameters = slurm_parameters(machine)
    arrays = [_array(command, batch, parameters) for batch in batches]
    if len(arrays) == 1:
        return arrays[0]
    lines = [
        "#!/bin/bash",
        "# Run it with bash: each array waits for the one before.",
        "set -e",
    ]
    for place, array in enumerate(arrays):
        after = ' --dependency=afterany:"$job"' if place else ""
        lines.append(f"job=$(sbatch --parsable{after} <<'ARRAY'\n{array}ARRAY\n)")
        lines.append("job=${job%%;*}")
    return "\n".join([*lines, 'echo "the last array is $job"', ""])


def _array(command: str, batch: Any, parameters: Mapping[str, Any]) -> str:
    at_once = parameters.get("slurm_array_parallelism")
    limit = f"%{at_once}" if at_once else ""
    options = {"array": f"{batch.first}-{batch.last}{limit}"}
    options |= {
        flag: parameters[name] for name, flag in _SBATCH.items() if name in parameters
    }
    if "mem_gb" in parameters:
        options["mem"] = f"{int(parameters['mem_gb'] * 1024)}M"
    options |= parameters.get("slurm_additional_parameters", {})
    lines = [f"#SBATCH --{name}={value}" for name, value in options.items()]
    return "\n".join(
        [
            "#!/bin/bash",
            *lines,
            "#SBATCH --requeue",
            "#SBATCH --open-mode=append",
            f'exec {command} --cell="$SLURM_ARRAY_TASK_ID"',
            "",
        ]
    )


def xpk_script(
    command: str,
    batches: Sequence[Any],
    machine: SweepMachine,
    resources: Mapping[str, float],
) -> str:
    """A script that hands in a workload of xpk, a slice, for each cell."""
    del resources
    if len(batches) > 1:
        raise InputError(
            "`print`=xpk: a workload of xpk waits for no other, so that chains and "
            "`shards` cannot be said; take `print`=jobset"
        )
    if machine.tpu_type is None:
        raise InputError("`print`=xpk needs `tpu_type`, as in v5litepod-16")
    batch = batches[0]
    flags = {
        "cluster": machine.xpk_cluster,
        "tpu-type": machine.tpu_type,
        "num-slices": 1,
        "docker-image": machine.image,
    }
    words = " ".join(
        f"--{name}={shlex.quote(str(value))}" for name, value in flags.items()
    )
    return "\n".join(
        [
            "#!/bin/bash",
            "set -e",
            f"for cell in $(seq {batch.first} {batch.last}); do",
            f'  xpk workload create --workload="mspd-sweep-$cell" {words} \\',
            f'    --command={shlex.quote(command)}" --cluster --cell=$cell"',
            "done",
            "",
        ]
    )
