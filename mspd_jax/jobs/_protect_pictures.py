"""Protecting people's own pictures, at their own size."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Sequence
from typing import ClassVar, NamedTuple

import numpy as np

from mspd_jax import data, drive, pictures, preempt
from mspd_jax.jobs._foreign import MODEL_NAMES
from mspd_jax.jobs._frame import Kinds, open_folder, record_outcomes
from mspd_jax.jobs._machine import FilesMachine
from mspd_jax.jobs._option import option
from mspd_jax.jobs._picture_line import picture_line
from mspd_jax.jobs._picture_programs import picture_programs
from mspd_jax.jobs._picture_work import Guide, as_pictures, described, kind_of, made
from mspd_jax.jobs._preview import Preview, previewed
from mspd_jax.jobs._result import Result
from mspd_jax.jobs._strength import STRENGTHS, Strength
from mspd_jax.jobs._survive import FORMS, sights_of
from mspd_jax.jobs._values import Loaded, ModelInput, Radius, loaded, radius_of, size_of
from mspd_jax.streams import stream


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProtectPictures:
    """Protects picture files of any size; see `run`.

    Example:
      jobs.ProtectPictures(source="photos/", strength="light").run("OUT")
    """

    MACHINE: ClassVar[FilesMachine] = FilesMachine()

    source: str = option(
        help="the pictures: a file, a folder with all that is in it, or a pattern such "
        "as photos/*.jpg (quoted)"
    )
    surrogate: ModelInput = option(
        "cifar10_resnet20_robust",
        help=f"the model whose gradients are used: {MODEL_NAMES}",
    )
    labeler: ModelInput = option(
        "coupled",
        help="who says what a picture shows: a model, or 'coupled' (the surrogate)",
    )
    strength: str = option(
        "standard",
        help="how much may change: light 4/255 and 8 draws, standard 8/255 and 16, "
        "strong 16/255 and 32",
        choices=tuple(STRENGTHS),
    )
    eps: Radius | None = option(
        None, help="largest change of a pixel in [0, 1], in place of the strength's"
    )
    samples: int | None = option(
        None, help="number of draws, in place of the strength's", lower=1
    )
    survive: tuple[str, ...] | None = option(
        None, help=f"what the protection shall survive, any of: {FORMS}"
    )
    format: str = option(
        "png",
        help="png and webp keep every pixel; what loses some is measured after it was "
        "packed",
        choices=("png", "jpeg", "webp"),
    )
    quality: int | None = option(
        None,
        help="of a jpeg [95], or of a webp, which then loses pixels, too",
        lower=1,
        upper=100,
    )
    strip_metadata: bool = option(
        False, help="leave out all that a file says besides its pixels and colors"
    )
    verify: bool = option(
        False,
        help="attack each picture and its original as verify does (pgd-20, 8/255), and "
        "say what the surrogate still sees; verify does that for other models",
    )
    limit: int | None = option(None, help="use the first LIMIT pictures only", lower=1)
    seed: int = option(0, help="seed of all randomness")

    def run(
        self, out: str | pathlib.PurePath, machine: FilesMachine | None = None
    ) -> Result:
        """Writes every picture, protected, into OUT/images, under its own name.

        The same call goes on where it was interrupted; originals are never touched.

        Returns:
          A `Result` of `PicturesSummary` and `PictureRecord`s.
        """
        used, guide, protect = _means_of(self)
        source, listing = _pictures_of(self, out)
        folder = open_folder(
            self, out, machine or self.MACHINE, used=used, source=source
        )
        settings = {name: protect.keywords[name] for name in ("num_samples", "sights")}
        calls = functools.partial(preempt.count_calls, **settings)
        with picture_line(source, folder.done, calls) as spread_of:
            outcomes = drive.in_turn(
                stream(self.seed, "protect"),
                functools.partial(made, guide, protect, spread_of),
                as_pictures(source, listing, **kind_of(self)),
                skip=folder.done,
            )
            result = record_outcomes(
                self,
                folder,
                outcomes,
                source=source,
                describe=functools.partial(described, self, guide, folder.path),
                summarize=functools.partial(_totals, _strength_of(self), listing),
                kinds=Kinds(PicturesSummary, PictureRecord),
            )
        before = len(folder.done) >= len(source.indices)
        return result._replace(finished_before=before)

    def programs(self, machine: FilesMachine | None = None) -> list[drive.Program]:
        """The programs that `run` has compiled for pictures in color, of any size."""
        del machine
        surrogate = loaded(self.surrogate)
        versions = 1 + len(sights_of(self.survive).distortions)
        return picture_programs(
            surrogate.predict,
            size_of(surrogate, "surrogate"),
            _strength_of(self).samples,
            versions,
        )

    def preview(
        self, out: str | pathlib.PurePath, machine: FilesMachine | None = None
    ) -> Preview:
        """Writes OUT/preview.png alone, what the first picture becomes in its middle.

        The original, the protected and ten times the difference, side by side.
        """
        del machine
        _, guide, protect = _means_of(self)
        return previewed(
            stream(self.seed, "protect"),
            guide,
            protect,
            *_pictures_of(self, out),
            out,
        )


class PictureRecord(NamedTuple):
    """What was done to a picture, measured on the file that was written.

    used_label: the class that it was protected for. largest_change: of a pixel, in
    [0, 1]. psnr: in dB, None where nothing changed. ssim: None for pictures below 11
    pixels. changed: what the file could not keep of the original's kind, or None.
    preview: whether its metadata holds a small picture of the original.
    robust_before, robust_after: of `views` views, in how many the surrogate sees the
    class under attack, in the original and in the file; None where it was not asked.
    """

    index: int  # type: ignore[assignment]
    label: int
    used_label: int
    name: str
    file: str
    width: int
    height: int
    largest_change: float
    psnr: float | None
    ssim: float | None
    changed: str | None = None
    preview: bool = False
    robust_before: int | None = None
    robust_after: int | None = None
    views: int | None = None
    source_digest: str | None = None


class PicturesSummary(NamedTuple):
    """Totals over pictures, and the settings that the strength stood for."""

    images: int
    seconds: float
    images_computed: int
    images_per_second: float | None
    eps: float | None = None
    samples: int | None = None
    largest_change: float | None = None
    psnr_mean: float | None = None
    ssim_mean: float | None = None
    warnings: list[str] = []
    compile_seconds: float | None = None


def _strength_of(job: ProtectPictures) -> Strength:
    strength = STRENGTHS[job.strength]
    if job.eps is not None:
        strength = strength._replace(eps=radius_of(job.eps, "linf"))
    return strength._replace(samples=job.samples or strength.samples)


def _means_of(
    job: ProtectPictures,
) -> tuple[dict[str, Loaded], Guide, functools.partial]:
    """The models by role, what they are to `made`, and how a picture is protected."""
    pictures.check_quality(job.format, job.quality)
    strength, used = _strength_of(job), {"surrogate": loaded(job.surrogate)}
    if job.labeler != "coupled":
        used["labeler"] = loaded(job.labeler)
    seeing = (*_seeing(used, "surrogate"), *_seeing(used, "labeler"))
    protect = functools.partial(
        preempt.protect_picture,
        num_samples=strength.samples,
        antithetic=strength.samples % 2 == 0,
        sights=sights_of(job.survive),
    )
    return used, Guide(*seeing, strength.eps), protect


def _pictures_of(
    job: ProtectPictures, out: str | pathlib.PurePath
) -> tuple[data.Source, pictures.Listing]:
    listing = pictures.list_pictures(job.source, format=job.format, out=out)
    source = pictures.open_pictures(
        job.source, job.source, limit=job.limit, listing=listing
    )
    return source, listing


def _seeing(used: dict[str, Loaded], role: str) -> tuple[Callable, tuple]:
    """A model, where there is none the surrogate, and what it reads."""
    model = used.get(role, used["surrogate"])
    return model.predict, size_of(model, role)


def _totals(
    strength: Strength, listing: pictures.Listing, records: Sequence[dict]
) -> dict:
    """Settings, means over all pictures, what was no picture, and what still shows."""

    def mean(name):
        known = [record[name] for record in records if record[name] is not None]
        return float(np.mean(known)) if known else None

    return {
        "eps": strength.eps,
        "samples": strength.samples,
        "largest_change": max(record["largest_change"] for record in records),
        "psnr_mean": mean("psnr"),
        "ssim_mean": mean("ssim"),
        "warnings": [
            *_preview_warning([r["name"] for r in records if r.get("preview")]),
            *(f"left out: {pictures.shown(p)} {why}" for p, why in listing.skipped),
        ],
    }


def _preview_warning(names: Sequence[str]) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return [
        f"{min(names)}{more}: the metadata holds a small preview, which shows the "
        "picture as it was; `strip_metadata` leaves it out"
    ]
