"""Grids of jobs; evaluations of several models, radii and purifiers, with a summary."""

import dataclasses
import functools
import itertools
import pathlib
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, ClassVar, NamedTuple

from mspd_jax import drive, evaluate, models, paths, runs
from mspd_jax.errors import InputError
from mspd_jax.jobs._defended import defended
from mspd_jax.jobs._evaluate import Evaluate, Evaluation
from mspd_jax.jobs._foreign import MODEL_NAMES
from mspd_jax.jobs._frame import open_folder, sealed
from mspd_jax.jobs._machine import Machine
from mspd_jax.jobs._measure import Inputs, load_inputs, measured
from mspd_jax.jobs._measure_programs import evaluation_programs, run_checks
from mspd_jax.jobs._option import option
from mspd_jax.jobs._values import ModelInput, Radius, loaded, opened, radius_of


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluateGrid(Evaluation):
    """Every target behind every purifier at every radius.

    One of each fills the folder itself. Otherwise each combination has a folder below
    it that is a run of its own; more of them may be asked for later.
    """

    NAME: ClassVar[str] = "evaluate_sweep"

    target: ModelInput | None = option(
        None,
        help=f"the model that is measured: {MODEL_NAMES}",
    )
    targets: tuple[str, ...] | None = option(
        None, help="several models to measure, separated by commas, in one run"
    )
    eps: Radius | None = option(
        None,
        help="radius of the perturbation ball for pixels in [0, 1]: 8/255 or 0.031; "
        "several, separated by commas, are tried in turn",
    )
    purify: tuple[str, ...] | None = option(
        None,
        help="defenses to put in front of everything else, each in turn in a run "
        "folder of its own; none is the target as it is",
    )

    def run(self, out: str | pathlib.PurePath, machine: Machine | None = None) -> Any:
        """Runs all cells.

        Returns:
          The `Result` of the only cell, or a list of `Cell`s in the order of targets,
          purifiers and radii.
        """
        cells = list(self.cells(out, machine))
        return cells[0].result if len(cells) == 1 else self._in_order(cells)

    def cells(
        self, out: str | pathlib.PurePath, machine: Machine | None = None
    ) -> Iterator["Cell"]:
        """Runs the cells one by one, the largest radius first, and sums them up last.

        The checks of the largest radius count for the smaller ones too.
        """
        machine, out = machine or self.MACHINE, paths.as_path(out)
        cells = self._planned(out)
        if len(cells) > 1:
            axes: dict = dict.fromkeys(("eps", "target", "targets", "purify"))
            open_folder(dataclasses.replace(self, **axes), out, machine, used={})
            runs.unseal(out)
        finished: list[Cell] = []
        checks: dict = {}
        for cell in cells:
            kind = cell.name, cell.job.purify
            result, found = measured(
                cell.job, cell.folder, machine, cell.inputs, checks.get(kind)
            )
            checks.setdefault(kind, found)
            finished.append(cell._replace(result=result))
            yield finished[-1]
        if len(cells) > 1 and drive.here().process == 0:
            runs.write_json(
                out / "summary.json", _summary(self._in_order(finished), out)
            )
            sealed(out)

    def programs(self, machine: Machine | None = None) -> list[drive.Program]:
        """The programs of the attacks that the cells have compiled."""
        machine = machine or self.MACHINE
        return drive.distinct(
            program
            for cell in self._planned(pathlib.Path())
            for program in evaluation_programs(cell.job, machine, cell.inputs)
        )

    def check(self) -> bool:
        """Runs the reliability checks alone; whether there are any."""
        cells = self._planned(pathlib.Path())
        first = {(cell.name, cell.job.purify): cell for cell in reversed(cells)}
        return any([run_checks(cell.job, cell.inputs) for cell in first.values()])

    def _in_order(self, cells: list["Cell"]) -> list["Cell"]:
        order = self._purifiers().index
        return sorted(
            cells,
            key=lambda c: (str(c.job.target), order(c.job.purify), c.inputs.radius),
        )

    def _planned(self, out: pathlib.PurePath) -> list["Cell"]:
        """The cells with all that they need: bad names are refused before any runs."""
        targets, purifiers, radii = self._targets(), self._purifiers(), self._radii()
        names, folders = _numbered(map(_end, targets)), _numbered(map(_slug, purifiers))
        read = _remembering(loaded, lambda m: m if isinstance(m, str) else id(m))
        load = functools.cache(models.load_model)
        defend = _remembering(
            functools.partial(defended, load=load),
            lambda target, chain, **_: (target.digest, chain),
        )
        source = opened(
            self.source, data_dir=self.data_dir, limit=self.limit, shard=self.shard
        )
        shared: Any = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(Evaluation)
        }
        first = Evaluate(target=targets[0], **shared)
        jobs = grid(first, target=targets, purify=purifiers, eps=radii)
        cells = []
        for job in jobs:
            over_source = dataclasses.replace(
                job, source=source, limit=None, shard=None
            )
            inputs = load_inputs(over_source, read, defend)
            name = names[targets.index(job.target)]
            if len(jobs) == 1:
                cells.append(Cell(job, name, out, None, inputs, None))
                continue
            radius = f"eps_{0 if job.eps is None else job.eps}".replace("/", "_")
            folder = out / name / folders[purifiers.index(job.purify)] / radius
            cells.append(Cell(job, name, folder, out, inputs, None))
        return sorted(cells, key=lambda cell: -cell.inputs.radius)

    def _targets(self) -> list[Any]:
        """The models to measure, as they were named."""
        if (self.target is None) == (self.targets is None):
            raise InputError(
                "name the model with `target`, or several with `targets`=A,B"
            )
        return [self.target] if self.targets is None else self._each("targets", "model")

    def _purifiers(self) -> list[str | None]:
        if self.purify is None:
            return [None]
        if not self.purify or not all(text.strip() for text in self.purify):
            raise InputError("`purify` names no purifier: write `purify`=none,jpeg:75")
        return self._each("purify", "purifier")

    def _each(self, field: str, what: str) -> list[Any]:
        """The texts of a field, each once."""
        texts = [text.strip() for text in getattr(self, field)]
        if len(set(texts)) < len(texts):
            raise InputError(f"`{field}`={','.join(texts)} names a {what} twice")
        return texts

    def _radii(self) -> list[Radius | None]:
        """The radii as they were named, ascending."""
        if not isinstance(self.eps, str):
            return [self.eps]
        texts = [text.strip() for text in self.eps.split(",")]
        radii = {text: radius_of(text, self.norm) for text in texts}
        if len(set(radii.values())) < len(texts):
            raise InputError(f"`eps`={self.eps} names a radius twice")
        return sorted(texts, key=lambda text: radii[str(text)])


class Cell(NamedTuple):
    """One evaluation of a grid. name: of its target, short. grid: the folder that sums
    up, None where this is the only cell. inputs: what it needs, loaded. result: None
    before it has run."""

    job: Evaluate
    name: str
    folder: pathlib.PurePath
    grid: pathlib.PurePath | None
    inputs: Inputs
    result: Any


def grid(job: Any, **axes: Iterable[Any]) -> list[Any]:
    """The job with every combination of the values of `axes`, the last one fastest.

    Example:
      grid(jobs.Evaluate(target="A", source="digits:test", eps=0.1), eps=[0.05, 0.1])
    """
    names = list(axes)
    return [
        dataclasses.replace(job, **dict(zip(names, values, strict=True)))
        for values in itertools.product(*axes.values())
    ]


def _remembering(function: Callable, key: Callable[..., Hashable]) -> Callable:
    """A function that is called once for each key of its arguments."""
    found: dict[Hashable, Any] = {}

    def remembered(*args, **kwargs):
        place = key(*args, **kwargs)
        if place not in found:
            found[place] = function(*args, **kwargs)
        return found[place]

    return remembered


def _summary(cells: list[Cell], out: pathlib.PurePath) -> dict:
    """The runs of a grid side by side, and whether accuracy falls as eps grows."""
    rows: list[dict] = []
    points: dict[str, list[tuple[float, float, int]]] = {}
    for cell in cells:
        purify, radius = cell.job.purify, cell.inputs.radius
        row: dict[str, Any] = {"target": cell.name}
        if purify is not None:
            row["purify"] = purify
        summary = runs.read_json(cell.folder / "summary.json")
        row |= {"eps": cell.job.eps, "folder": str(cell.folder.relative_to(out))}
        hidden = ("reliability", "warnings")
        rows.append(row | {k: v for k, v in summary.items() if k not in hidden})
        if "robust_accuracy" in summary:
            kind = ", ".join(filter(None, [cell.name, purify]))
            point = radius, summary["robust_accuracy"], summary["images"]
            points.setdefault(kind, []).append(point)
    warnings = [
        f"{kind}: {line}"
        for kind, found in points.items()
        if len(found) > 1
        for line in evaluate.failed_lines([evaluate.check_sweep(found)])
    ]
    return {"runs": rows, "warnings": warnings}


def _numbered(names: Iterable[str]) -> list[str]:
    """The names, numbered where two are equal."""
    names = list(names)
    return [
        name if names.count(name) == 1 else f"{name}-{place}"
        for place, name in enumerate(names)
    ]


def _end(path: Any) -> str:
    """The last part of a path, or what a model is called."""
    if not isinstance(path, str):
        return loaded(path).name
    found = pathlib.PurePath(path)
    return found.parent.name if found.name == "model" else found.name


def _slug(purifier: str | None) -> str:
    """`denoiser:runs/stab` as denoiser_stab; "" for none."""
    name, _, argument = (purifier or "").partition(":")
    end = argument.rstrip("/").removesuffix("/model").rpartition("/")[2]
    return f"{name}_{end}" if end else name
