"""Networks, classifiers and denoisers: by name, as functions, on disk, converted."""

from mspd_jax.models._architecture_options import LABEL_RULES
from mspd_jax.models._architectures import (
    ARCHITECTURES,
    DENOISERS,
    RESTORERS,
    default_normalization,
    parse_architecture,
)
from mspd_jax.models._batched import from_batched
from mspd_jax.models._build import (
    build_module,
    create_model,
    function_of,
    gives_images,
    map_restorer,
    model_kind,
    predictor,
    restorer,
    train_outputs,
)
from mspd_jax.models._callable import as_pytree, behind
from mspd_jax.models._checkpoint import (
    function_hash,
    load_model,
    model_hash,
    save_model,
)
from mspd_jax.models._convert import convert_torch
from mspd_jax.models._reach import PIXEL, Reach, reach_of
from mspd_jax.models._spec import Model, ModelSpec
from mspd_jax.models._split import Split, split

__all__ = [
    "ARCHITECTURES",
    "DENOISERS",
    "LABEL_RULES",
    "PIXEL",
    "RESTORERS",
    "Model",
    "ModelSpec",
    "Reach",
    "Split",
    "as_pytree",
    "behind",
    "build_module",
    "convert_torch",
    "create_model",
    "default_normalization",
    "from_batched",
    "function_hash",
    "function_of",
    "gives_images",
    "load_model",
    "map_restorer",
    "model_hash",
    "model_kind",
    "parse_architecture",
    "predictor",
    "reach_of",
    "restorer",
    "save_model",
    "split",
    "train_outputs",
]
