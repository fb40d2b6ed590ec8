"""Networks that others trained, and what an attack leaves of them."""

import pathlib
import tempfile

from mspd_jax import data, jobs


def converted(
    out: pathlib.Path, name: str, file: str | pathlib.Path, model: str
) -> str:
    """The checkpoint OUT/NAME of a file of PyTorch, made where it is not there."""
    if not (out / name).exists():
        jobs.Convert(torch=(str(file),), model=model).run(out / name)
    return str(out / name)


def attacked(source: data.Source, target: str, *, eps: float, seed: int) -> jobs.Result:
    """What PGD-20 with full knowledge of the target leaves of each image."""
    job = jobs.Evaluate(
        source=source,
        target=target,
        attack="pgd-20",
        eps=eps,
        check_images=0,
        seed=seed,
    )
    with tempfile.TemporaryDirectory() as folder:
        found = job.run(folder)
        # They are read from the disk as they are looked at.
        return found._replace(records=tuple(found.records))
