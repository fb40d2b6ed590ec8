"""A Kubernetes JobSet of a sweep: indexed jobs of single hosts, or a job per slice."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mspd_jax.errors import InputError
from mspd_jax.jobs.sweeps._machine import SweepMachine

_RESOURCES = {"CPU": "cpu", "GPU": "nvidia.com/gpu", "TPU": "google.com/tpu"}
_RETRIES = 3  # of a cell whose pod was lost or pre-empted
_INDEX = "jobset.sigs.k8s.io/job-index"
_SLICE = "alpha.jobset.sigs.k8s.io/exclusive-topology"


def jobset(
    command: str,
    batches: Sequence[Any],
    machine: SweepMachine,
    resources: Mapping[str, float],
) -> str:
    """YAML of a JobSet; of a chain, jobs that wait for those before (JobSet 0.8).

    Where a cell fits on a host, all cells of a level are one indexed job. Where its
    slice has several hosts, each cell is a job of its own, whose pods join by
    --cluster. Lost pods are tried again; a cell that fails is no failure of the JobSet.
    """
    import yaml  # comes with Flax

    hosts = _hosts(machine, resources)
    jobs: list[dict[str, Any]] = []
    for place, batch in enumerate(batches):
        job = _replicated(command, batch, machine, resources, hosts)
        job = {"name": f"level-{place}", **job}
        if jobs:
            job["dependsOn"] = [{"name": jobs[-1]["name"], "status": "Complete"}]
        jobs.append(job)
    content: dict[str, Any] = {
        "apiVersion": "jobset.x-k8s.io/v1alpha2",
        "kind": "JobSet",
        "metadata": {"name": "mspd-sweep"},
        "spec": {"failurePolicy": {"maxRestarts": 0}, "replicatedJobs": jobs},
    }
    if hosts > 1:
        content["metadata"]["annotations"] = {_SLICE: "cloud.google.com/gke-nodepool"}
    return yaml.safe_dump(content, sort_keys=False, width=10**6)


def _replicated(
    command: str,
    batch: Any,
    machine: SweepMachine,
    resources: Mapping[str, float],
    hosts: int,
) -> dict[str, Any]:
    """A level of cells: their number is where the level begins, and the pod's index."""
    cells = batch.last - batch.first + 1
    container: dict[str, Any] = {"name": "cell", "image": machine.image}
    if hosts > 1:
        source = {"fieldRef": {"fieldPath": f"metadata.annotations['{_INDEX}']"}}
        container["env"] = [{"name": "JOB_INDEX", "valueFrom": source}]
        index, command = "JOB_INDEX", f"{command} --cluster"
    else:
        index = "JOB_COMPLETION_INDEX"
    number = f"$(({batch.first} + {index}))"
    # A cell that fails says so with 1 or 2; as a failed job it would end all others.
    script = f"{command} --cell={number} || test $? -le 2"
    container["command"] = ["/bin/sh", "-c", script]
    limits = {_resource(name): _amount(value) for name, value in resources.items()}
    if limits:
        container["resources"] = {"limits": limits, "requests": dict(limits)}
    pod: dict[str, Any] = {"restartPolicy": "Never", "containers": [container]}
    selector = {
        "cloud.google.com/gke-tpu-accelerator": machine.tpu_accelerator,
        "cloud.google.com/gke-tpu-topology": machine.tpu_topology,
    }
    if any(selector.values()):
        pod["nodeSelector"] = {name: text for name, text in selector.items() if text}
    spec: dict[str, Any] = {"completionMode": "Indexed", "template": {"spec": pod}}
    # A pod that was pre-empted does not count among the retries.
    lost = {"type": "DisruptionTarget", "status": "True"}
    rule = {"action": "Ignore", "onPodConditions": [lost]}
    spec["podFailurePolicy"] = {"rules": [rule]}
    if hosts > 1:
        spec |= {"parallelism": hosts, "completions": hosts, "backoffLimit": _RETRIES}
    else:
        at_once = min(machine.workers or cells, cells)
        spec |= {"parallelism": at_once, "completions": cells}
        spec["backoffLimitPerIndex"] = _RETRIES
    return {"replicas": cells if hosts > 1 else 1, "template": {"spec": spec}}


def _hosts(machine: SweepMachine, resources: Mapping[str, float]) -> int:
    """Hosts of the slice of a cell: its chips, by those of a host."""
    if machine.tpu_topology is None:
        return 1
    parts = machine.tpu_topology.split("x")
    chips = resources.get("TPU", 0)
    if not all(part.isdigit() and int(part) for part in parts):
        raise InputError(
            f"`tpu_topology`={machine.tpu_topology}: expected a slice like 2x4"
        )
    total = math.prod(map(int, parts))
    if not chips or total % chips:
        raise InputError(
            f"`tpu_topology`={machine.tpu_topology} has {total} chips: say with "
            "`cell_resources`=TPU=4 how many a host has"
        )
    return int(total // chips)


def _resource(name: str) -> str:
    return _RESOURCES.get(name, name)


def _amount(value: float) -> str:
    return f"{value:g}"
