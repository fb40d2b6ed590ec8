"""The whole story on embedded data: train, protect, revert, attack, compare."""

import dataclasses
import itertools
import os
import pathlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from mspd_jax import data, drive, evaluate, paths, pictures, report, runs
from mspd_jax.errors import InputError
from mspd_jax.jobs._evaluate import Evaluate
from mspd_jax.jobs._machine import ChunkedMachine
from mspd_jax.jobs._option import option
from mspd_jax.jobs._protect import Protect
from mspd_jax.jobs._protect_pictures import ProtectPictures
from mspd_jax.jobs._quickstart_models import (
    RECIPES,
    is_trained,
    origin_of,
    train_recipe,
)
from mspd_jax.jobs._revert import Revert
from mspd_jax.jobs._values import Radius, radius_of

ATTACK = "pgd-20"
_SOURCE = "digits:test"
# The images that are attacked, by title: the folder of what is about them.
_SETS = {
    "unprotected": "unprotected",
    "MSPD": "mspd",
    "MSPD, reverted": "mspd_reverted",
    "bi-level": "bilevel",
}
_PHOTOGRAPH = "photograph"


class Story(NamedTuple):
    """What quickstart has found.

    Attributes:
      folder: with report.md, report.csv, picture.png, and a run folder for each step.
      table: Markdown, a row for each set of images.
      note: what its numbers are.
      seconds: that it took.
    """

    folder: pathlib.PurePath
    table: str
    note: str
    seconds: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Quickstart:
    """Trains small models on 8x8 digits, protects, reverts, and attacks.

    Example:
      print(jobs.Quickstart().run("OUT").table)
    """

    MACHINE: ClassVar[ChunkedMachine] = ChunkedMachine(batch_size=150)

    eps: Radius = option(
        "0.15",
        help="radius of the perturbation ball for pixels in [0, 1]: 8/255 or 0.031",
    )
    seed: int = option(0, help="seed of all randomness")
    epochs: int = option(10, help="passes over the training images", lower=1)
    bilevel_images: int = option(
        50, help="how many images the slow baseline protects", lower=1
    )

    def run(
        self, out: str | os.PathLike, machine: ChunkedMachine | None = None
    ) -> Story:
        """Runs the jobs of the story, each in a folder below `out`, or goes on.

        Nobody but the surrogate, which protects and labels, meets an image before it is
        attacked.
        """
        start = time.perf_counter()
        out, machine = paths.as_path(out), machine or self.MACHINE
        if drive.in_cluster():
            raise InputError(
                "quickstart is told by one process; start it without `coordinator` and "
                "`cluster`"
            )
        _check_folder(out)
        with drive.shared_line(self._weights()) as begin:
            self._train(out, begin)
            seconds = self._write(out, machine, begin)
            records = self._attack(out, machine, begin)
            begin("protecting a photograph")
            album, words = _photograph(out / _PHOTOGRAPH, self.seed)
        rows = _rows(records, seconds)
        table = report.markdown_table(rows, list(rows[0]))
        note = self._note() + words
        attacked = [
            _attacked(out, name, "target A") for name in ("unprotected", "mspd")
        ]
        shown = runs.read_runs([str(out / "mspd"), *map(str, attacked)])
        section = report.protection_section(shown, images=8)
        text = f"# Quickstart\n\n{table}{note}{section.text}{album.text}"
        csv = report.csv_table(rows, list(rows[0]))
        files = {"report.csv": csv.encode(), "report.md": text.encode()}
        for name, content in (section.pictures | album.pictures | files).items():
            runs.write_file(out / name, content)
        return Story(out, table, note, time.perf_counter() - start)

    def _weights(self) -> list[float]:
        """Seconds that the steps take on two cores; compiling is most of them."""
        models = len(RECIPES)
        training = [7 + 0.3 * self.epochs] * models
        written = [4.0, 4.0, 6 + 0.03 * self.bilevel_images]
        # Sets after the first one meet programs that are compiled.
        attacks = [4.0] * models + [0.6] * models * (len(_SETS) - 1)
        return [*training, *written, *attacks, 8.0]

    def _train(self, out: pathlib.PurePath, begin: Callable[[str], None]) -> None:
        eps = radius_of(self.eps, "linf")
        for name in RECIPES:
            folder = out / _folder(name)
            origin = origin_of(name, eps=eps, epochs=self.epochs)
            if is_trained(folder, origin):
                begin(f"reading {name}")
            else:
                begin(f"training {name}")
                train_recipe(folder, origin)

    def _write(
        self,
        out: pathlib.PurePath,
        machine: ChunkedMachine,
        begin: Callable[[str], None],
    ) -> dict[str, float | None]:
        """Protects and reverts; seconds per image by the title of a set."""
        fields: dict[str, Any] = dict(
            surrogate=str(out / "surrogate"), eps=self.eps, seed=self.seed
        )
        few = self.bilevel_images
        jobs: dict[str, Protect | Revert] = {
            "MSPD": Protect(source=_SOURCE, **fields),
            "MSPD, reverted": Revert(source=_source(out, "MSPD"), **fields),
            "bi-level": Protect(source=_SOURCE, method="bilevel", limit=few, **fields),
        }
        count = len(data.open_source(_SOURCE).indices)
        seconds: dict[str, float | None] = {}
        for title, job in jobs.items():
            begin(f"writing {title}")
            # Two batches at least: the first one compiles and is not timed.
            most = -(-min(job.limit or count, count) // (2 * drive.here().devices))
            # Few images: a block of one leaves no device without work.
            own = dataclasses.replace(
                machine,
                batch_size=min(machine.batch_size, most),
                block=machine.block or 1,
            )
            result = job.run(out / _SETS[title], own)
            rate = result.summary and result.summary.images_per_second
            seconds[title] = 1 / rate if rate else None
        return seconds

    def _attack(
        self,
        out: pathlib.PurePath,
        machine: ChunkedMachine,
        begin: Callable[[str], None],
    ) -> dict[tuple[str, str], list[dict]]:
        """Attacks every model on every set: records by (title, name of the model)."""
        found = {}
        for title, name in itertools.product(_SETS, RECIPES):
            begin(f"attacking {name} on {title}")
            job = Evaluate(
                source=_source(out, title),
                target=str(out / _folder(name)),
                attack=ATTACK,
                eps=self.eps,
                seed=self.seed,
                check_images=0,
                clean_gate=0.0,
                save_images=True,
            )
            result = job.run(_attacked(out, _SETS[title], name), machine)
            found[title, name] = [record._asdict() for record in result.records]
        return found

    def _note(self) -> str:
        return (
            f"\nAccuracies in percent: clean / under {ATTACK} with full knowledge of "
            f"the attacked model, l_inf {radius_of(self.eps, 'linf'):g}. The surrogate "
            "protects and labels; the targets never met it.\n"
        )


def _folder(name: str) -> str:
    return name.replace(" ", "_")


def _attacked(out: pathlib.PurePath, images: str, name: str) -> pathlib.PurePath:
    return out / "attacked" / _folder(f"{images} on {name}")


def _source(out: pathlib.PurePath, title: str) -> str:
    return _SOURCE if title == "unprotected" else f"folder:{out / _SETS[title]}"


def _rows(
    records: Mapping[tuple[str, str], list[dict]], seconds: Mapping[str, float | None]
) -> list[dict[str, Any]]:
    """A row per image set; above the baseline's row, the others on the same images.

    records: by (title, name of the model). seconds: per image, by title.
    """
    few = set.intersection(*({r["index"] for r in rs} for rs in records.values()))

    def row(title: str, only: set[int] | None) -> dict[str, Any]:
        found: dict[str, Any] = {"images": title, "n": 0}
        for name in RECIPES:
            kept = [
                r for r in records[title, name] if only is None or r["index"] in only
            ]
            found |= {"n": len(kept), name: _clean_and_robust(kept)}
        each = seconds.get(title)
        return found | {"s/image": each and f"{each:.4f}"}

    *rows, last = [row(title, None) for title in _SETS]
    return [*rows, *(row(title, few) for title in ("unprotected", "MSPD")), last]


def _clean_and_robust(records: Sequence[dict]) -> str:
    found = evaluate.accuracies(records)
    shares = (found["clean_accuracy"], found["robust_accuracy"])
    return " / ".join(report.percent(share, len(records)) for share in shares)


def _photograph(folder: pathlib.PurePath, seed: int) -> tuple[report.Section, str]:
    """A photograph at its own size, by the model that ships: seen, and in words."""
    job = ProtectPictures(source=str(pictures.EXAMPLE), verify=True, seed=seed)
    (record,) = job.run(folder).records
    words = (
        "\nA photograph, guided by the surrogate that ships: under attack that still "
        f"sees the same in {record.robust_before} of {record.views} views of the "
        f"original, in {record.robust_after} of the protected ({record.psnr:.1f} dB).\n"
    )
    return report.album_section(runs.read_runs([str(folder)])), words


def _check_folder(out: pathlib.PurePath) -> None:
    """Refuses a folder that holds something else than this story."""
    known = {*map(_folder, RECIPES), "mspd", "report.md"}
    there = {p.name for p in paths.children(out)} if paths.exists(out) else set()
    if there and not known & there:
        raise InputError(
            f"`out`={out} is not empty and holds no quickstart; name another folder"
        )
