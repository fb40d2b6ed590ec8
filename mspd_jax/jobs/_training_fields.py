"""The fields of the jobs that train."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from mspd_jax import models, train
from mspd_jax.jobs._images import Images
from mspd_jax.jobs._option import option
from mspd_jax.jobs._values import SourceInput


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingMachine:
    """How a training is worked off; its results are the same on each."""

    checkpoint_every: int | None = option(
        None,
        help="steps between checkpoints, besides one a minute and one at the end",
        lower=1,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Training(Images):
    """The fields of every training."""

    MACHINE: ClassVar[TrainingMachine] = TrainingMachine()

    batch_size: int = option(128, help="images per step, over all devices", lower=1)
    eval_source: SourceInput | None = option(
        None, help="measure the trained model on this source"
    )
    eval_limit: int | None = option(
        None, help="its first EVAL_LIMIT images only", lower=1
    )
    arch: str | None = option(None, help="network to train")
    arch_options: str | Mapping[str, Any] = option(
        "{}", help='options of the network as JSON: {"widths": [8, 16]}'
    )
    init: str | models.Model | None = option(
        None, help="checkpoint to go on from, in place of --arch"
    )
    augment: str = option(
        "auto",
        help="none, or some of crop,flip; auto: both for color images, none for gray "
        "ones (a mirrored digit is no digit)",
    )
    epochs: int = option(30, help="passes over the data", lower=1)
    optimizer: str = option(
        "sgd", help="sgd: Nesterov momentum 0.9", choices=train.OPTIMIZERS
    )
    learning_rate: float = option(0.05, help="its highest value", lower=0.0)
    weight_decay: float = option(5e-4, help="decay of kernels", lower=0.0)
    schedule: str = option(
        "cosine",
        help="learning rate over the steps; thirds: a tenth and a hundredth after one "
        "and two thirds of them",
        choices=train.SCHEDULES,
    )
    warmup_epochs: float = option(0.5, help="epochs of linear warm-up", lower=0.0)
    clip: float | None = option(
        None, help="scale gradients down to this l2 norm", lower=0.0
    )
    ema: float | None = option(
        None,
        help="train an average of the weights: its decay",
        lower=0.0,
        upper=1.0,
    )

    def config(self, **more: Any) -> train.TrainingConfig:
        """How the fields say to train; more: fields of the config that jobs set."""
        shared = {name: getattr(self, name) for name in _CONFIGURED}
        return train.TrainingConfig(**shared, **more)


_CONFIGURED = frozenset(train.TrainingConfig._fields) & {
    field.name for field in dataclasses.fields(Training)
}


def with_default(name: str, default: Any) -> Any:
    """A field of `Training` with another default."""
    field = next(f for f in dataclasses.fields(Training) if f.name == name)
    return option(default, **field.metadata)
