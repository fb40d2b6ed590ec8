"""Models from PyTorch checkpoints, tensor by tensor, every name accounted for."""

import functools
import os
import pathlib
import re
from collections.abc import Mapping
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from mspd_jax.errors import InputError
from mspd_jax.models._architectures import (
    default_normalization,
    family_of,
    members_of,
    parse_architecture,
    restores,
)
from mspd_jax.models._build import build_module, checked_shapes
from mspd_jax.models._spec import Model, ModelSpec, check_spec
from mspd_jax.models.conversion._members import Files, of_files
from mspd_jax.models.conversion._names import layout_of, torch_name
from mspd_jax.models.conversion._tensor_file import file_sha256, read_tensors
from mspd_jax.models.networks import Normalization

# What the buffers of a normalization in front of a network are called.
_NORMALIZATIONS = (("mean", "std"), ("mu", "sigma"))


def convert_torch(
    path: Files,
    *,
    architecture: str,
    options: Mapping[str, Any] | None = None,
    activation: str | None = None,
    num_classes: int | None = None,
    mean: tuple[float, ...] | None = None,
    std: tuple[float, ...] | None = None,
    image_shape: tuple[int, int, int] | None = None,
    sigma: float | None = None,
    state: str | None = None,
    usual: Normalization | None = None,
) -> Model:
    """The model of a PyTorch checkpoint (.pt, .pth, .th, ... or .safetensors).

    Guarantee: every tensor of the file is used and every variable of the network is
    set, or InputError names all tensors that are missing, surplus or misshaped.

    What is None comes from the file (the number of classes; the normalization, from
    `mean` and `std` buffers; of the options, what names and shapes tell, which strides
    are not) or is the architecture's default. Nothing in the file is executed.

    Args:
      path: the file; of an ensemble a list, of the file of each member.
      architecture: its name, as "resnet20" or "ensemble3_resnet20".
      options: of the architecture, where neither the file nor the default is right.
      activation: "relu" or "silu", where the architecture has the choice.
      num_classes: number of logits.
      mean, std: per channel, of pixels in [0, 1].
      image_shape: (height, width, channels) of the images it is for.
      sigma: the noise that a denoiser was trained on; no file says it.
      state: under which key of the file the weights stand, where it has several.
      usual: mean and std where neither the arguments nor the file say them, in place of
        the architecture's usual ones.

    Example:
      model = models.convert_torch("resnet20.th", architecture="resnet20")
      models.save_model("CHECKPOINT", model)
    """
    _, defaults = parse_architecture(architecture)
    member, count = members_of(architecture)
    if count > 1 or not isinstance(path, str | os.PathLike):
        convert = functools.partial(
            convert_torch,
            architecture=member,
            options=options,
            activation=activation,
            num_classes=num_classes,
            mean=mean,
            std=std,
            image_shape=image_shape,
            sigma=sigma,
            state=state,
            usual=usual,
        )
        return of_files(convert, path, architecture)
    family = family_of(architecture)
    wanted = dict(options or {})
    if activation is not None:
        if "activation" not in defaults:
            raise InputError(
                f"`activation`: {architecture} has one activation, so leave it out"
            )
        wanted["activation"] = activation
    tensors = _used(family, family.canonical(read_tensors(path, state=state)))
    options = defaults | _options_in(path, architecture, tensors) | wanted
    shape = image_shape or (family.size, family.size, 3)
    normalization = usual or default_normalization(architecture, shape[-1])
    buffers = _buffers(tensors)
    if restores(architecture):
        num_classes = 0
    elif not num_classes:
        num_classes = _count_classes(path, architecture, options, tensors)
    origin = {"source": pathlib.Path(path).name, "sha256": file_sha256(path)}
    spec = ModelSpec(
        architecture=architecture,
        options=options,
        mean=tuple(mean or buffers.get("mean") or normalization[0]),
        std=tuple(std or buffers.get("std") or normalization[1]),
        num_classes=num_classes,
        image_shape=cast(tuple[int, int, int], tuple(shape)),  # checked below
        origin=origin if sigma is None else origin | {"sigma": sigma},
    )
    _check(spec)
    return Model(spec, _fill(path, spec, checked_shapes(spec), tensors))


def _fill(path, spec, shapes, tensors):
    """The variables of `shapes` from `tensors`, or an error that names the misfits."""
    family = family_of(spec.architecture)
    leaves, structure = jax.tree_util.tree_flatten_with_path(shapes)
    paths = [tuple(key.key for key in keys) for keys, _ in leaves]
    names = [torch_name(family, spec.options, path) for path in paths]
    layouts = [layout_of(family, path) for path in paths]
    shapes = [leaf.shape for _, leaf in leaves]
    wanted = {
        name: layout.shape(shape)
        for name, layout, shape in zip(names, layouts, shapes, strict=True)
    }
    problems = {
        "missing": sorted(set(wanted) - set(tensors)),
        "surplus": sorted(set(tensors) - set(wanted)),
        "misshaped": [
            f"{name} {tensors[name].shape} instead of {shape}"
            for name, shape in wanted.items()
            if name in tensors and tensors[name].shape != shape
        ],
        "not finite numbers": [
            name
            for name, tensor in tensors.items()
            if tensor.dtype != np.float32 or not np.isfinite(tensor).all()
        ],
    }
    if any(problems.values()):
        listed = "; ".join(
            f"{kind}: {', '.join(items)}" for kind, items in problems.items() if items
        )
        raise InputError(f"{path} does not fit {spec.architecture}: {listed}")
    arrays = [
        layout.read(tensors[name], shape)
        for name, layout, shape in zip(names, layouts, shapes, strict=True)
    ]
    return jax.tree.unflatten(structure, map(jnp.asarray, arrays))


def _used(family, tensors) -> dict:
    """The tensors without those that networks of the family never compute with."""
    unused = re.compile(family.unused)
    return {name: tensors[name] for name in tensors if not unused.fullmatch(name)}


def _buffers(tensors) -> dict:
    """Takes the normalization that robust models carry out of `tensors`."""
    for mean, std in _NORMALIZATIONS:
        if {mean, std} <= tensors.keys():
            found = {"mean": tensors.pop(mean), "std": tensors.pop(std)}
            return {name: tensor.ravel().tolist() for name, tensor in found.items()}
    return {}


def _options_in(path, architecture, tensors) -> dict:
    """What names and shapes tell of the options."""
    try:
        return family_of(architecture).options_in(tensors)
    except ValueError as error:
        raise InputError(f"{path} is no {architecture}: missing: {error}") from error


def _count_classes(path, architecture, options, tensors) -> int:
    name = torch_name(family_of(architecture), options, ("params", "head", "kernel"))
    if name not in tensors or tensors[name].ndim != 2:
        raise InputError(
            f"{path} has no classifier {name} to count the classes of: is `arch` right?"
        )
    return int(tensors[name].shape[0])


def _check(spec):
    try:
        check_spec(spec)
        build_module(spec)
    except ValueError as error:
        raise InputError(str(error)) from error
    if max(map(abs, spec.mean)) > 1:
        raise InputError(
            f"`mean` {spec.mean} is not that of pixels in [0, 1]: divide `mean` and "
            "`std` by 255"
        )
