"""The pictures that a run protected, before and after, made small enough to look at."""

from collections.abc import Sequence

import numpy as np

from mspd_jax import data, paths, pictures
from mspd_jax.errors import InputError, StoreError
from mspd_jax.report._comparison import Tile, amplified, comparison_picture
from mspd_jax.report._section import Section, section
from mspd_jax.report._tables import markdown_table
from mspd_jax.runs import Run

_TITLES = ("original", "protected", "change\n×10")
_SIDE = 512  # pixels that are shown at most


def album_section(runs: Sequence[Run], *, images: int = 8) -> Section:
    """The first pictures of each run over people's own pictures, and what changed."""
    found = [r for r in runs if r.info.get("job") == "protect_pictures" and r.records]
    parts = [_album(run, images, number) for number, run in enumerate(found)]
    return Section(
        "".join(part.text for part in parts),
        {name: png for part in parts for name, png in part.pictures.items()},
    )


def _album(run: Run, images: int, number: int) -> Section:
    records = [run.records[place] for place in range(min(images, len(run.records)))]
    originals = _originals(run)
    rows = [_tiles(run, record, originals) for record in records]
    png = comparison_picture(rows, _TITLES) if any(map(any, rows)) else None
    table = markdown_table([_row(record) for record in records])
    return section(
        table,
        name=f"album{number or ''}.png",
        png=png,
        alt="original, protected, change enlarged ten times",
        title=f"Pictures of `{run.name}`",
    )


def _row(record: dict) -> dict:
    robust = {}
    if record.get("views"):
        robust = {
            "held before": f"{record['robust_before']} of {record['views']}",
            "held after": f"{record['robust_after']} of {record['views']}",
        }
    return {
        "picture": record["name"],
        "size": f"{record['width']}x{record['height']}",
        "largest change": f"{255 * record['largest_change']:.3g}/255",
        "PSNR, dB": record["psnr"],
        "SSIM": record["ssim"],
        **robust,
    }


def _originals(run: Run) -> dict[int, str]:
    """The file of each picture by its index, where the source is still there."""
    try:
        place = str(run.fields.get("source"))
        source = pictures.open_pictures("source", place, out=run.path)
    except (InputError, StoreError):
        return {}
    return dict(zip(source.indices.tolist(), source.files or (), strict=False))


def _tiles(run: Run, record: dict, originals: dict[int, str]) -> list[Tile | None]:
    path = run.path / record["file"]
    inside = paths.resolved(path).is_relative_to(paths.resolved(run.path))
    after = _seen(str(path)) if inside else None
    before = _seen(originals.get(record["index"]))
    if before is None or after is None or before.shape != after.shape:
        return [None, None if after is None else Tile(_small(after)), None]
    small = (_small(before), _small(after))
    return [Tile(small[0]), Tile(small[1]), Tile(amplified(small[1], small[0]))]


def _seen(file: str | None) -> np.ndarray | None:
    try:
        return None if file is None else pictures.read_picture(file).levels
    except (InputError, StoreError):
        return None


def _small(levels: np.ndarray) -> np.ndarray:
    """Every n-th pixel: a change stays as large as it is."""
    step = -(-max(levels.shape) // _SIDE)
    return data.as_float(levels[::step, ::step])
