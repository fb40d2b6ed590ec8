"""Converting the weights of PyTorch models into checkpoints."""

import dataclasses
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import jax

from mspd_jax import models, paths
from mspd_jax.errors import InputError
from mspd_jax.jobs._machine import FilesMachine
from mspd_jax.jobs._option import option
from mspd_jax.jobs._values import network_options


class Converted(NamedTuple):
    """A checkpoint that was written.

    parameters: how many numbers the network has learned. digest: a hash of all that it
    computes.
    """

    folder: pathlib.PurePath
    spec: models.ModelSpec
    parameters: int
    digest: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Convert:
    """Turns a file of PyTorch weights, or those of an ensemble, into a checkpoint.

    Example:
      jobs.Convert(torch="resnet18.pth", arch="resnet18").run("CKPT")
    """

    MACHINE: ClassVar[FilesMachine] = FilesMachine()

    torch: str | Sequence[str] = option(
        help="the file to convert, of PyTorch or safetensors; of an ensemble those of "
        "its members, with commas between"
    )
    model: str | None = option(
        None,
        help="identifier of a published model (convert --list shows them), which says "
        "all else",
    )
    arch: str | None = option(
        None,
        help="architecture of a file of your own: "
        f"{models.ARCHITECTURES}; denoisers: {models.DENOISERS}; diffusion models: "
        f"{models.DIFFUSIONS}",
    )
    arch_options: str | Mapping[str, Any] = option(
        "{}",
        help='options of `arch` that the file does not tell, as JSON: {"strides": [2, '
        "2]}",
    )
    state: str | None = option(
        None,
        help="under which key of the file the weights stand, where it has several, as "
        "in last; dots go deeper",
    )
    overwrite: bool = option(False, help="replace the checkpoint that is at `out`")
    mean: str | Sequence[float] | None = option(
        None,
        help="mean per channel that the model subtracts from pixels in [0, 1], as in "
        "0.485,0.456,0.406; default: the file's `mean`, else the usual one of `arch`, "
        "which the last line shows",
    )
    std: str | Sequence[float] | None = option(
        None, help="what the model then divides by, per channel; default: see `mean`"
    )
    num_classes: int | None = option(
        None, help="number of classes; default: as in the file", lower=1
    )
    image_shape: str | Sequence[int] | None = option(
        None,
        help="height,width,channels of its images; default: as usual for `arch`, which "
        "is 224,224,3 or more for networks of ImageNet and 32,32,3 for others",
    )
    activation: str | None = option(
        None,
        help="activation of the network, where `arch` leaves a choice; default: as "
        "usual for `arch`",
        choices=("relu", "silu"),
    )
    sigma: float | None = option(
        None,
        help="noise level that a denoiser was trained on: certify checks it",
        lower=0.0,
    )

    def run(
        self, out: str | pathlib.PurePath, machine: FilesMachine | None = None
    ) -> Converted:
        """Writes the checkpoint folder; nothing of a file that does not fit."""
        del machine
        model = self._converted()
        models.save_model(out, model, overwrite=self.overwrite)
        size = sum(leaf.size for leaf in jax.tree.leaves(model.variables["params"]))
        return Converted(paths.as_path(out), model.spec, size, models.model_hash(model))

    def _converted(self) -> models.Model:
        if self.model is not None:
            self._check_alone()
            return models.convert_published(self._files(), self.model)
        if self.arch is None:
            raise InputError("`arch` or `model` is required: see --help")
        return models.convert_torch(
            self._files(),
            architecture=self.arch,
            options=network_options(self.arch_options),
            activation=self.activation,
            num_classes=self.num_classes,
            mean=_numbers("mean", self.mean, float),
            std=_numbers("std", self.std, float),
            image_shape=_numbers("image_shape", self.image_shape, int),
            sigma=self.sigma,
            state=self.state,
        )

    def _files(self) -> str | Sequence[str]:
        """The file, or the files of a text like m0.pt,m1.pt."""
        given = self.torch
        if not isinstance(given, str) or "," not in given or os.path.isfile(given):
            return given
        return given.split(",")

    def _check_alone(self) -> None:
        """Refuses what the table of published models says already."""
        for field in dataclasses.fields(self):
            own = field.name in ("torch", "model", "overwrite")
            if not own and getattr(self, field.name) != field.default:
                raise InputError(f"`{field.name}` does not go with `model`")


def _numbers(
    name: str, value: str | Sequence | None, kind: Callable[[str], Any]
) -> tuple | None:
    """The numbers of a field, also where they are a text like 0.5,0.5,0.5."""
    if value is None:
        return None
    parts = value.split(",") if isinstance(value, str) else value
    try:
        return tuple(kind(part) for part in parts)
    except ValueError as error:
        shown = "32,32,3" if kind is int else "0.5,0.5,0.5"
        raise InputError(
            f"`{name}`={value}: expected numbers with commas between, like {shown}"
        ) from error
