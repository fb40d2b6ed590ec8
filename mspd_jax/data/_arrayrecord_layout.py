"""The files that describe a data set of images to TFDS, and to us.

`dataset_info.json` and `features.json` are those of TFDS, written without it, as is the
list of class names. TFDS passes over the table of indices and labels, which saves us
from reading every record when a source is opened.
"""

import json
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from mspd_jax import paths, runs
from mspd_jax.errors import InputError, first_line

# TFDS keeps `all` for the sum of splits, and `train` and `test` would promise
# something of these images.
_NAME, _SPLIT = "images", "data"
_INFO, _FEATURES = "dataset_info.json", "features.json"
_CLASSES, _TABLE = "label.labels.txt", "images-index.npy"
_SHARD = f"{_NAME}-{_SPLIT}.array_record-"
_ROW = np.dtype([("index", "<i8"), ("label", "<i4")])
_Shape = tuple[int | None, int | None, int | None]


class Layout(NamedTuple):
    """What a data set says of itself.

    lengths: records of each shard. shape: of all images, None where they differ.
    """

    lengths: tuple[int, ...]
    shape: _Shape
    num_classes: int | None
    class_names: tuple[str, ...] | None


def shard_name(number: int, count: int) -> str:
    """The file of a shard, counted from 0."""
    return f"{_SHARD}{number:05d}-of-{count:05d}"


def shards_in(folder: str | pathlib.PurePath) -> list[pathlib.PurePath]:
    """The shards in a folder, whether or not they are a whole data set."""
    folder = paths.as_path(folder)
    if not paths.is_dir(folder):
        return []
    return [path for path in paths.children(folder) if path.name.startswith(_SHARD)]


def has_data_set(folder: str | pathlib.PurePath) -> bool:
    """Whether a whole data set of images lies in a folder."""
    folder = paths.as_path(folder)
    return paths.is_file(folder / _TABLE) and paths.is_file(folder / _INFO)


def unmark(folder: pathlib.PurePath) -> None:
    """Takes back that a folder holds a whole data set."""
    paths.remove([folder / _INFO])


def write_layout(
    folder: pathlib.PurePath,
    layout: Layout,
    *,
    num_bytes: int,
    indices: np.ndarray,
    labels: np.ndarray,
) -> None:
    """Writes what a data set says of itself, when its shards are there."""
    table = np.empty(len(indices), _ROW)
    table["index"], table["label"] = indices, labels
    with (
        runs.whole_file(folder / _TABLE, through=True) as file,
        open(file, "wb") as stream,
    ):
        np.save(stream, table)
    names = "\n".join(layout.class_names or ()) + "\n"
    if layout.class_names and _class_names(names) == layout.class_names:
        _write_text(folder / _CLASSES, names)
    else:  # none, or such as a file of lines cannot hold
        paths.remove([folder / _CLASSES])
    _write_json(folder / _FEATURES, _features(layout))
    # The last: a folder without it is no data set.
    _write_json(folder / _INFO, _info(layout, num_bytes))


def read_layout(spec: str, folder: pathlib.PurePath) -> Layout:
    """What a data set says of itself; InputError where it is none of ours."""
    try:
        info = json.loads(paths.read_text(folder / _INFO))
        (split,) = (each for each in info["splits"] if each["name"] == _SPLIT)
        lengths = tuple(int(length) for length in split["shardLengths"])
        features = json.loads(paths.read_text(folder / _FEATURES))
        held = features["featuresDict"]["features"]
        shape = _dimensions(held["image"]["tensor"]["shape"]["dimensions"])
        classes = held["label"].get("classLabel")
        held["index"], held["name"]  # or it is not one of ours
        num_classes = None if classes is None else int(classes["numClasses"])
        names = None
        if paths.is_file(folder / _CLASSES):
            names = _class_names(paths.read_text(folder / _CLASSES))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        problem = f"{type(error).__name__}: {first_line(error)}"
        raise foreign(spec, folder, problem) from error
    if not lengths or min(lengths) < 1:
        raise foreign(spec, folder, "it has no shards, or empty ones")
    known = names is not None and len(names) == num_classes
    return Layout(lengths, shape, num_classes, names if known else None)


def read_table(
    spec: str, folder: pathlib.PurePath, layout: Layout
) -> tuple[np.ndarray, np.ndarray]:
    """Indices, int64, and labels of all records, in their order."""
    try:
        with paths.opened(folder / _TABLE) as file:
            table = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise foreign(spec, folder, f"{_TABLE}: {first_line(error)}") from error
    if not isinstance(table, np.ndarray) or table.dtype != _ROW or table.ndim != 1:
        raise foreign(spec, folder, f"{_TABLE} holds no table of indices and labels")
    indices = np.ascontiguousarray(table["index"])
    if len(indices) != sum(layout.lengths):
        raise foreign(
            spec,
            folder,
            f"{_TABLE} has {len(indices)} rows, the shards {sum(layout.lengths)}",
        )
    if indices[0] < 0 or indices[-1] >= 2**32 or np.any(np.diff(indices) <= 0):
        raise foreign(spec, folder, f"the indices in {_TABLE} do not rise from 0 up")
    return indices, np.ascontiguousarray(table["label"])


def foreign(spec: str, folder: pathlib.PurePath, problem: str) -> InputError:
    """The error for a folder that holds no data set of ours, or a damaged one."""
    return InputError(
        f"source {spec!r}: {folder} is no whole data set of images ({problem}); wanted "
        "what protect or revert wrote with format=arrayrecord"
    )


def _features(layout: Layout) -> dict[str, Any]:
    shape = [str(-1 if size is None else size) for size in layout.shape]
    label = _feature("scalar.Scalar", tensor=_tensor("int64"))
    if layout.num_classes is not None:
        classes = {"numClasses": str(layout.num_classes)}
        label = _feature("class_label_feature.ClassLabel", classLabel=classes)
    pixels = _tensor("uint8", encoding="bytes") | {"shape": {"dimensions": shape}}
    held = {
        "image": _feature("tensor_feature.Tensor", tensor=pixels),
        "index": _feature("scalar.Scalar", tensor=_tensor("int64")),
        "label": label,
        "name": _feature("text_feature.Text", text={}),
    }
    return _feature("features_dict.FeaturesDict", featuresDict={"features": held})


def _feature(kind: str, **content: Any) -> dict[str, Any]:
    return {**content, "pythonClassName": f"tensorflow_datasets.core.features.{kind}"}


def _tensor(dtype: str, encoding: str = "none") -> dict[str, Any]:
    return {"dtype": dtype, "encoding": encoding, "shape": {}}


def _info(layout: Layout, num_bytes: int) -> dict[str, Any]:
    split = {
        "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
        "name": _SPLIT,
        "numBytes": str(num_bytes),
        "shardLengths": [str(length) for length in layout.lengths],
    }
    pair = [{"featureKey": "image"}, {"featureKey": "label"}]
    return {
        "description": "Images that mspd_jax wrote, in the order of their index.",
        "fileFormat": "array_record",
        "name": _NAME,
        "splits": [split],
        "supervisedKeys": {"tuple": {"items": pair}},
        "version": "1.0.0",
    }


def _dimensions(texts: Sequence[str]) -> _Shape:
    height, width, channels = (None if int(t) < 0 else int(t) for t in texts)
    return height, width, channels


def _class_names(text: str) -> tuple[str, ...] | None:
    """Names as TFDS reads them, None where it would not take them."""
    lines = text.replace("\r", "\n").split("\n")
    names = tuple(line.strip() for line in lines if line.strip())
    return names if len(set(names)) == len(names) else None


def _write_json(path: pathlib.PurePath, content: dict[str, Any]) -> None:
    _write_text(path, json.dumps(content, indent=2, sort_keys=True) + "\n")


def _write_text(path: pathlib.PurePath, text: str) -> None:
    with runs.whole_file(path, through=True) as file:
        pathlib.Path(file).write_text(text, encoding="utf-8")
