"""What a model is: a specification (plain data) and its variables (arrays)."""

from typing import NamedTuple


class ModelSpec(NamedTuple):
    """Everything about a model but its weights; every field goes into JSON.

    Attributes:
      architecture: name that `parse_architecture` accepts, e.g. "wide_resnet28_10".
      options: architecture options that are not in the name, e.g. {"activation":
        "silu"}; what is missing takes its default.
      mean: per channel, subtracted from images in [0, 1].
      std: per channel, divides what remains.
      num_classes: number of logits.
      image_shape: (height, width, channels) of the images it was made for.
      origin: where the weights come from: source file and its sha256, flags, sigma.
    """

    architecture: str
    options: dict
    mean: tuple[float, ...]
    std: tuple[float, ...]
    num_classes: int
    image_shape: tuple[int, int, int]
    origin: dict


class Model(NamedTuple):
    """A specification and the variables of its network.

    Attributes:
      spec: the specification.
      variables: {"params": ..., "batch_stats": ...}, without "batch_stats" where the
        network keeps no statistics.
    """

    spec: ModelSpec
    variables: dict
