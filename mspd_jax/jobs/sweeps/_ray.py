"""Cells as tasks of a Ray cluster, which also starts lost ones again."""

import contextlib
import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mspd_jax import drive
from mspd_jax.errors import InputError, first_line
from mspd_jax.jobs.sweeps._engine import Engine
from mspd_jax.jobs.sweeps._work import Task, run_spec, spec_of

_RETRIES = 3  # of a task whose worker or node was lost
_PATIENCE = 10.0  # seconds for the head of a cluster to answer


@contextlib.contextmanager
def ray_engine(
    address: str, resources: Mapping[str, float], environment: dict[str, str]
) -> Iterator[Engine]:
    """Tasks on the Ray cluster at an address, each with these resources.

    CPU (1 by default) and GPU are Ray's own, others like TPU are what its nodes say
    they have; Ray shows a task the devices that it was given. mspd_jax must be
    installed on all nodes, and the folder of the sweep one that all of them see.
    """
    try:
        import ray
    except ImportError as error:
        raise InputError(
            "`executor`=ray needs Ray: pip install 'mspd_jax[ray]'"
        ) from error
    cores = resources.get("CPU", 1)
    environment = {**drive.cpu_environment(max(1, int(cores))), **environment}
    ours = not ray.is_initialized()
    if ours:
        try:
            _knock(address)  # Ray itself knocks for half an hour
            ray.init(
                address, log_to_driver=False, runtime_env={"env_vars": environment}
            )
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            raise InputError(
                f"`ray_address`={address}: no Ray cluster answers "
                f"({first_line(error)}); start one with: ray start --head"
            ) from error
    others = {n: v for n, v in resources.items() if n not in ("CPU", "GPU")}
    remote = ray.remote(run_spec).options(
        num_cpus=cores,
        num_gpus=resources.get("GPU", 0),
        resources=others or None,
        max_retries=_RETRIES,
    )

    def error_of(reference: Any) -> str | None:
        try:
            return ray.get(reference)
        except ray.exceptions.RayError as error:
            return f"{type(error).__name__}: {first_line(error)}"

    def start(tasks: Sequence[Task]) -> list:
        return [remote.remote(spec_of(task)) for task in tasks]

    try:
        yield Engine(start, lambda handles: ray.wait(list(handles))[0], error_of)
    finally:
        if ours:
            ray.shutdown()


def _knock(address: str) -> None:
    """Raises OSError where nobody listens at an address like host:6379."""
    found = re.fullmatch(r"(?:ray://)?([^:/]+):(\d+)", address)
    if found:
        with socket.create_connection((found[1], int(found[2])), _PATIENCE):
            pass
