"""The frame of the jobs that train: fields, the run on disk, what it has come to."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from mspd_jax import data, drive, models, runs, train
from mspd_jax.errors import InputError
from mspd_jax.jobs._frame import (
    Kinds,
    compile_time,
    earlier,
    finished,
    merged,
    open_folder,
    sealed,
)
from mspd_jax.jobs._identity import identity
from mspd_jax.jobs._images import Images
from mspd_jax.jobs._measure_images import (
    measure_images,
    measuring_key,
    measuring_program,
)
from mspd_jax.jobs._option import option
from mspd_jax.jobs._result import Result
from mspd_jax.jobs._values import SourceInput, held_model, network_options

_LOGGED = ("loss", "clean_accuracy", "robust_accuracy")
_PLANNED = (
    "seed batch_size augment epochs optimizer learning_rate weight_decay schedule "
    "warmup_epochs clip ema"
).split()


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
    """The fields of every training, and its run.

    A job says besides what its summary and records are, and plans, measures and sums
    up; `classifiers` are the fixed ones that its fields name, by role.
    """

    MACHINE: ClassVar[TrainingMachine] = TrainingMachine()
    KINDS: ClassVar[Kinds]

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
        choices=tuple(train.SCHEDULES),
    )
    warmup_epochs: float = option(0.5, help="epochs of linear warm-up", lower=0.0)
    clip: float | None = option(
        None, help="scale gradients down to this l2 norm", lower=0.0
    )
    ema: float | None = option(
        None, help="train an average of the weights: its decay", lower=0.0, upper=1.0
    )

    def plan(self, examples: train.Examples) -> train.TrainingPlan:
        """The training of these examples; refuses whatever cannot be used."""
        return self._plan(examples, self._classifiers())

    def run(
        self, out: str | pathlib.PurePath, machine: TrainingMachine | None = None
    ) -> Result:
        """Trains, measures the model on `eval_source`, and saves it as OUT/model.

        The same call goes on where it was interrupted, and ends with the same weights.

        Returns:
          A `Result` of the summary and the records of this job.
        """
        machine, compiled = machine or self.MACHINE, drive.compile_seconds()
        classifiers = self._classifiers()
        examples, evaluation, fingerprints = self._data()
        plan = self._plan(examples, classifiers)
        spec = train.spec_of(plan.start)
        if evaluation is not None:
            judge = next((m.spec for m in classifiers.values()), spec)
            data.check_compatible(
                evaluation,
                image_shape=spec.image_shape,
                num_classes=None if models.gives_images(judge) else judge.num_classes,
            )
        used = dict(classifiers)
        if isinstance(plan.start, models.Model):
            used["init"] = plan.start
        held = {role: held_model(model, role) for role, model in used.items()}
        folder = open_folder(self, out, machine, used=held, data=fingerprints)
        if runs.is_summed_up(folder.path):
            return earlier(folder, self.KINDS)._replace(finished_before=True)
        state, totals = train.run_training(
            folder.path,
            plan,
            examples,
            checkpoint_every=machine.checkpoint_every,
            hidden=drive.here().process > 0,
        )
        model = train.trained_model(spec, state)
        unreadable: list[str] = []
        if evaluation is not None:
            unreadable = self._measure(classifiers, model, evaluation, folder)
        records = merged(folder)
        logged = runs.read_metrics(folder.path)[-1]
        totals |= {f"train_{k}": v for k, v in logged.items() if k in _LOGGED}
        totals["eval_images"] = len(records or [])
        totals |= compile_time(compiled)
        summary = self._summary(totals, records or [])
        said = identity(self, held, data=fingerprints) | {"result": summary}
        spec = spec._replace(origin=self._origin(classifiers) | said)
        path = folder.path
        models.save_model(path / "model", model._replace(spec=spec), overwrite=True)
        if records is None:
            return Result(path, None, (), tuple(unreadable))
        runs.close_metrics(path)
        result = finished(path, records, summary, unreadable, self.KINDS)
        sealed(path)
        return result

    def programs(self, machine: TrainingMachine | None = None) -> list[drive.Program]:
        """The programs that `run` has compiled."""
        del machine
        classifiers = self._classifiers()
        examples, evaluation, _ = self._data()
        plan = self._plan(examples, classifiers)
        state = train.first_state(plan)
        found = train.training_programs(plan, examples, state=state)
        if evaluation is None:
            return found
        model = train.trained_model(train.spec_of(plan.start), state)
        return found + self._measuring_programs(classifiers, model)

    def _measuring_programs(
        self, classifiers: dict[str, models.Model], model: models.Model
    ) -> list[drive.Program]:
        """What `_measure` has compiled."""
        method = self._method(classifiers, model)
        return [measuring_program(self, *method, model.spec.image_shape)]

    def _data(self) -> tuple[train.Examples, data.Source | None, dict[str, Any]]:
        """What to train on, what to measure on, and their fingerprints by field."""
        labeled = self._needs_labels()
        opened = functools.partial(
            train.open_sources, data_dir=self.data_dir, labeled=labeled
        )
        sources = opened(self.source, limit=self.limit)
        known: dict[str, Any] = {"source": [s.fingerprint for s in sources]}
        evaluation = None
        if self.eval_source is not None:
            evaluation, *_ = opened(self.eval_source, limit=self.eval_limit)
            known["eval_source"] = evaluation.fingerprint
        return train.load_examples(sources, labeled=labeled), evaluation, known

    def _classifiers(self) -> dict[str, models.Model]:
        return {}

    def _needs_labels(self) -> bool:
        return True

    def _plan(
        self, examples: train.Examples, classifiers: dict[str, models.Model]
    ) -> train.TrainingPlan:
        raise NotImplementedError

    def _planned(
        self,
        examples: train.Examples,
        start: models.ModelSpec | models.Model,
        objective: train.Objective,
        **more: Any,
    ) -> train.TrainingPlan:
        """The plan that the shared fields ask for; more: arguments that jobs set."""
        shared = {name: getattr(self, name) for name in _PLANNED}
        return train.plan_training(examples, start, objective, **shared, **more)

    def _start(
        self, examples: train.Examples, **more: Any
    ) -> models.ModelSpec | models.Model:
        """Where the fields say to start; more: options of a new network besides."""
        init = loaded_model(self.init, "init") if self.init else None
        options = {**network_options(self.arch_options), **more}
        return train.start_of(examples, init=init, arch=self.arch, arch_options=options)

    def _method(
        self, classifiers: dict[str, models.Model], model: models.Model
    ) -> tuple[Callable, Callable]:
        """A `predict` and the method that gives the fields of a record."""
        raise NotImplementedError

    def _measure(
        self,
        classifiers: dict[str, models.Model],
        model: models.Model,
        source: data.Source,
        folder: runs.OpenRun,
    ) -> list[str]:
        """Appends the records of the images; what could not be read."""
        return measure_images(
            measuring_key(self),
            self,
            source,
            *self._method(classifiers, model),
            done=folder.done,
            write=functools.partial(runs.append_records, folder),
        )

    def _summary(
        self, totals: dict[str, Any], records: Sequence[dict]
    ) -> dict[str, Any]:
        """The totals with what the records say; there may be none."""
        raise NotImplementedError

    def _origin(self, classifiers: dict[str, models.Model]) -> dict[str, Any]:
        """What the checkpoint says of itself besides the run's identity and totals."""
        return {}


def with_default(name: str, default: Any) -> Any:
    """A field of `Training` with another default."""
    field = next(f for f in dataclasses.fields(Training) if f.name == name)
    return option(default, **field.metadata)


def loaded_model(value: Any, field: str) -> models.Model:
    """The model with a specification that a field names, or is."""
    if isinstance(value, str):
        value = models.load_model(value)
    if not isinstance(value, models.Model):
        raise InputError(
            f"`{field}`: expected a checkpoint folder, a name or a Model, not a "
            f"{type(value).__name__}"
        )
    return value
