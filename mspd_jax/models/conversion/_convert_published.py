"""A published model from its file and its identifier, and nothing else."""

import os

from mspd_jax import paths
from mspd_jax.errors import InputError
from mspd_jax.models._spec import Model
from mspd_jax.models.conversion._convert import convert_torch
from mspd_jax.models.conversion._members import Files, paths_of
from mspd_jax.models.conversion._published import find_published
from mspd_jax.models.conversion._tensor_file import file_sha256


def convert_published(path: Files, name: str) -> Model:
    """The model of a published checkpoint, as `find_published` describes it.

    path: the file; of an ensemble a list, of the file of each member.

    Architecture, options, normalization (unless the file has one) and place of the
    weights come from the table; where their sha256 is known, another file is refused.
    Everything else is as for `convert_torch`. Raises InputError for a model that cannot
    be converted, too.

    Example:
      model = models.convert_published("weights.pt", "Carmon2019Unlabeled")
      files = ["m0.pt", "m1.pt", "m2.pt"]
      model = models.convert_published(files, "Chen2020Adversarial")
    """
    row = find_published(name)
    if not row.architecture:
        raise InputError(
            f"{row.name} cannot be converted: there is no architecture here for "
            f"{row.definition}"
        )
    for file in paths_of(path):
        digest = _digest(file) if row.sha256 else None
        if digest and digest not in row.sha256:
            raise InputError(
                f"{file} is not the published {row.name}: its sha256 is "
                f"{digest[:16]}..., not {row.sha256[0][:16]}...; to convert it, give "
                "`arch` and not `model`"
            )
    model = convert_torch(
        path,
        architecture=row.architecture,
        options=row.options,
        num_classes=row.num_classes or None,
        usual=(row.mean, row.std),
        image_shape=(row.image_size, row.image_size, 3),
        state=row.state,
    )
    origin = model.spec.origin | {"published": row.name}
    return model._replace(spec=model.spec._replace(origin=origin))


def _digest(file: str | os.PathLike) -> str | None:
    """The hash of a file; None where there is none, which its reader will say."""
    return file_sha256(file) if paths.is_file(paths.as_path(file)) else None
