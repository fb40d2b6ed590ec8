"""One model of one file, or of several: the members of an ensemble."""

import os
from collections.abc import Callable, Sequence

from mspd_jax.errors import InputError
from mspd_jax.models._architectures import members_of, restores
from mspd_jax.models._spec import Model

File = str | os.PathLike
Files = File | Sequence[File]


def paths_of(files: Files) -> list[File]:
    """The paths in what names one or several."""
    return [files] if isinstance(files, str | os.PathLike) else list(files)


def of_files(
    convert: Callable[[File], Model], files: Files, architecture: str
) -> Model:
    """What `convert` makes of a file, or an ensemble of what it makes of each.

    Raises InputError where the architecture has another number of members, where two
    files are equal, and where what two of them give are not networks of one kind with
    the same classes and normalization.
    """
    paths, (member, count) = paths_of(files), members_of(architecture)
    if len(paths) != count:
        wanted = f"{count} files, one for each member" if count > 1 else "one file"
        several = count == 1 < len(paths) and not restores(architecture)
        hint = f" (several make an ensemble{len(paths)}_{member})" if several else ""
        raise InputError(
            f"{architecture} is converted from {wanted}, got {len(paths)}: "
            f"{', '.join(map(str, paths))}{hint}"
        )
    models = [convert(path) for path in paths]
    if count == 1:
        return models[0]
    _check(paths, models)
    first = models[0].spec
    origin = {
        name: [model.spec.origin[name] for model in models] for name in first.origin
    }
    spec = first._replace(architecture=architecture, origin=origin)
    return Model(spec, _joined([model.variables for model in models]))


def _check(paths: list[File], models: list[Model]) -> None:
    """InputError unless these can be members of one ensemble."""
    known: dict[str, File] = {}
    first = models[0].spec
    for path, model in zip(paths, models, strict=True):
        digest = model.spec.origin["sha256"]
        if digest in known:
            raise InputError(
                f"{path} and {known[digest]} are the same weights: give the file of "
                "each member once"
            )
        known[digest] = path
        for field in ("num_classes", "options", "mean", "std"):
            own, wanted = getattr(model.spec, field), getattr(first, field)
            if own != wanted:
                raise InputError(
                    f"{path} and {paths[0]} are not members of one ensemble: their "
                    f"{field} are {own} and {wanted}"
                )


def _joined(variables: list[dict]) -> dict:
    """By collection and then by the names that `Ensemble` gives its members."""
    return {
        name: {f"member{i}": each[name] for i, each in enumerate(variables)}
        for name in variables[0]
    }
