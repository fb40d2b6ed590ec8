"""`tfds:NAME:SPLIT`: prepared TFDS data sets, without TensorFlow and without a network.

NAME is the folder below the data directory: `cifar10`, `cifar10/3.0.2` for one version,
`imagenet2012_corrupted/snow_1` for a configuration. The data must be stored as
array_record, which gives any record at once. Images are decoded by Pillow here, not by
TFDS, so that a picture reads the same whatever else is installed.

The index is the place in the stored order of the split, also for a slice: the first
image of `test[100:200]` has index 100. A sum of splits (`train+test`) counts through.
"""

import functools
import os
import pathlib
import re
import tempfile
from collections.abc import Sequence
from typing import Any

import numpy as np

from mspd_jax import paths
from mspd_jax.data._digest import array_digest, digest, file_prints
from mspd_jax.data._image import header_shape, read_levels
from mspd_jax.data._record import (
    Record,
    Source,
    as_float,
    if_readable,
    output_name,
)
from mspd_jax.errors import InputError, StoreError, first_line


def open_tfds(
    spec: str, rest: str, *, data_dir: str | os.PathLike | None, limit: int | None
) -> Source:
    """Source of one split (or slice) of a prepared TFDS data set."""
    name, colon, split = rest.partition(":")
    if not name or not colon or not split:
        raise InputError(f"source {spec!r} is not understood; wanted tfds:NAME:SPLIT")
    tfds = _import_tfds(spec)
    if data_dir is None:
        data_dir = tfds.core.constants.DATA_DIR
    folder = _find_version(spec, name, paths.as_path(os.path.expanduser(data_dir)))
    try:
        # The readers of TFDS and array_record want files: of a store, those that the
        # split needs are copied, and are there as long as the source is.
        copy = copied_heads(folder) if paths.is_store(folder) else None
        at_hand = folder if copy is None else pathlib.Path(copy.name)
        builder = tfds.builder_from_directory(at_hand)
        features = builder.info.features
        image_key, label_key = _find_keys(spec, tfds, builder.info)
        indices, shards, files = _stored_order(spec, builder.info, split)
        indices = indices[:limit]
        if copy is not None:
            needed = {pathlib.Path(files[shard][0]).name for shard in shards}
            paths.fetch(folder, pathlib.Path(copy.name), needed)
        # The encoded image as it lies in the record; other features as TFDS makes them.
        decoders = {image_key: tfds.decode.SkipDecoding()}
        records = builder.as_data_source(split, decoders=decoders)
        records[0]
    except (InputError, StoreError):
        raise
    except (ImportError, NotImplementedError) as error:
        raise InputError(
            f"source {spec!r}: {folder} can only be read with TensorFlow "
            f"({first_line(error)}); prepare it as array_record: tfds build NAME "
            "--file_format=array_record"
        ) from error
    except Exception as error:  # TFDS raises whatever its parsers do
        raise InputError(
            f"source {spec!r}: cannot open {folder} ({first_line(error)})"
        ) from error

    shape = tuple(features[image_key].shape)
    fixed, channels = None not in shape, shape[-1]

    def where(position: int) -> str:
        return f"{indices[position]} of {spec}"

    def fetch(position: int, copy: Any = copy) -> tuple[bytes, int, str]:
        """Encoded image, label, name. The copy is removed when nobody holds it."""
        try:
            row = records[position]
        except Exception as error:  # a damaged record; array_record has no error type
            raise InputError(
                f"cannot read the image {where(position)} ({error})"
            ) from error
        label = -1 if label_key is None else int(row[label_key])
        return row[image_key], label, output_name(int(indices[position]), label)

    def read(position: int) -> Record:
        encoded, label, name = fetch(position)
        levels = read_levels(encoded, where(position), channels)
        return Record(int(indices[position]), as_float(levels), label, name)

    def shape_of(position: int) -> tuple[int, int, int]:
        encoded, _, _ = fetch(position)
        height, width, found = header_shape(encoded, where(position))
        return height, width, channels or found

    def digest_of(position: int) -> str:
        encoded, label, name = fetch(position)
        return digest(name, label, bytes(encoded))

    def fingerprint_of(positions: Sequence[int]) -> str:
        chosen = np.asarray(positions, np.int64)
        read_from = [files[shard] for shard in np.unique(shards[chosen])]
        prints = file_prints([path for path, _ in read_from])
        return digest(
            builder.info.name,
            builder.info.version,
            *(f"{pathlib.Path(path).name} {length}" for path, length in read_from),
            *prints,
            array_digest(indices, chosen),
        )

    label_feature = None if label_key is None else features[label_key]
    num_classes = getattr(label_feature, "num_classes", None)
    max_label = -1 if num_classes is None else num_classes - 1
    if num_classes is None and label_key is not None:
        max_label = max(int(records[i][label_key]) for i in range(len(indices)))
    names = getattr(label_feature, "names", None)
    return Source(
        spec=spec,
        indices=indices,
        image_shape=shape if fixed else None,
        num_classes=num_classes,
        max_label=max_label,
        class_names=tuple(names) if names else None,
        labelled=label_key is not None,
        read=read,
        shape_of=None if fixed else functools.partial(if_readable, shape_of),
        digest_of=functools.partial(if_readable, digest_of),
        fingerprint_of=fingerprint_of,
    )


def _import_tfds(spec: str) -> Any:
    try:
        import tensorflow_datasets
    except ImportError as error:
        raise InputError(
            f"source {spec!r} needs the package tensorflow-datasets ({error}); install "
            "it with: pip install tensorflow-datasets array_record importlib_resources"
        ) from error
    return tensorflow_datasets


def copied_heads(folder: pathlib.PurePath) -> tempfile.TemporaryDirectory:
    """A folder with all but the records of a prepared data set in a store."""
    copy = tempfile.TemporaryDirectory(prefix="mspd_jax_")
    names = [
        path.name for path, is_folder in paths.children(folder).items() if not is_folder
    ]
    heads = [name for name in names if ".array_record" not in name]
    paths.fetch(folder, pathlib.Path(copy.name), heads)
    return copy


def _find_version(spec: str, name: str, data_dir: pathlib.PurePath) -> pathlib.PurePath:
    folder = data_dir / name
    if ".." in pathlib.PurePath(name).parts or not paths.is_dir(folder):
        held = _folders(data_dir)
        raise InputError(
            f"source {spec!r}: no data set {name!r} in {data_dir}; it holds "
            f"{', '.join(held) if held else 'none'} (name the folder: `data_dir`)"
        )
    if paths.is_file(folder / "dataset_info.json"):
        return folder
    versions = [
        child for child in _folders(folder) if re.fullmatch(r"\d+\.\d+\.\d+", child)
    ]
    if not versions:
        held = _folders(folder)
        raise InputError(
            f"source {spec!r}: {folder} holds no version folder such as 1.0.0; it "
            f"holds {', '.join(held) if held else 'no folders'} (a configuration is "
            f"named tfds:{name}/CONFIG:SPLIT)"
        )
    return folder / max(versions, key=lambda text: [int(n) for n in text.split(".")])


def _folders(path: pathlib.PurePath) -> list[str]:
    if not paths.is_dir(path):
        return []
    inside = paths.children(path)
    return [p.name for p, is_folder in inside.items() if is_folder and p.name[0] != "."]


def _find_keys(spec: str, tfds: Any, info: Any) -> tuple[str, str | None]:
    features = dict(info.features.items())
    images = [k for k, f in features.items() if isinstance(f, tfds.features.Image)]
    labels = [k for k, f in features.items() if isinstance(f, tfds.features.ClassLabel)]
    supervised = info.supervised_keys or ()
    image_key = next((k for k in supervised if k in images), None)
    if image_key is None and len(images) == 1:
        image_key = images[0]
    if image_key is None:
        raise InputError(
            f"source {spec!r}: wanted one image feature, found {len(images)} among "
            f"{', '.join(sorted(features))}"
        )
    if np.dtype(features[image_key].np_dtype) != np.uint8:
        raise InputError(
            f"source {spec!r}: its images are {features[image_key].np_dtype}, "
            "wanted 8-bit"
        )
    if features[image_key].shape[-1] == 4:
        raise InputError(
            f"source {spec!r}: its images have an alpha channel, wanted gray or RGB"
        )
    label_key = next((k for k in supervised if k in labels), None)
    if label_key is None:
        scalar = [k for k in supervised[1:2] if _is_integer(features.get(k))]
        label_key = (labels if len(labels) == 1 else scalar or [None])[0]
    return image_key, label_key


def _is_integer(feature: Any) -> bool:
    if feature is None or feature.shape != ():
        return False
    return np.issubdtype(np.dtype(feature.np_dtype), np.integer)


def _stored_order(
    spec: str, info: Any, split: str
) -> tuple[np.ndarray, np.ndarray, list[tuple[str, int]]]:
    """Index in its split and number of the file of each record that `split` selects.

    And the files: path and number of records.
    """
    try:
        chosen = info.splits[split].file_instructions
    except (KeyError, ValueError, AssertionError) as error:
        held = ", ".join(
            f"{key} ({info.splits[key].num_examples})" for key in info.splits
        )
        raise InputError(
            f"source {spec!r}: no split {split!r} ({first_line(error)}); the splits "
            f"are {held}, slices such as test[:100] are accepted"
        ) from error
    files: list[tuple[str, int]] = []
    starts = {}
    for key in info.splits:
        lengths = info.splits[key].shard_lengths
        offsets = np.cumsum([0, *lengths])
        locations = map(os.fspath, info.splits[key].filepaths)
        for path, length, offset in zip(locations, lengths, offsets, strict=False):
            starts[path] = (key, int(offset), len(files))
            files.append((path, int(length)))
    parts, shards = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    keys = set()
    for instruction in chosen:
        key, offset, shard = starts[os.fspath(instruction.filename)]
        first = offset + instruction.skip
        parts.append(np.arange(first, first + instruction.take, dtype=np.int64))
        shards.append(np.full(instruction.take, shard))
        keys.add(key)
    indices, places = np.concatenate(parts), np.concatenate(shards)
    if len(indices) == 0:
        raise InputError(f"source {spec!r}: the split {split!r} selects no images")
    if len(keys) > 1:
        return np.arange(len(indices)), places, files
    if np.any(np.diff(indices) <= 0):
        raise InputError(
            f"source {spec!r}: the slices {split!r} overlap or are out of order; give "
            "them in rising order"
        )
    return indices, places, files
