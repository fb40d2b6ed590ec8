"""Networks, classifiers and denoisers: by name, as functions, on disk, converted."""

from mspd_jax.models._architectures import ARCHITECTURES as ARCHITECTURES
from mspd_jax.models._architectures import DENOISERS as DENOISERS
from mspd_jax.models._architectures import DIFFUSIONS as DIFFUSIONS
from mspd_jax.models._architectures import RESTORERS as RESTORERS
from mspd_jax.models._architectures import (
    default_normalization as default_normalization,
)
from mspd_jax.models._architectures import parse_architecture as parse_architecture
from mspd_jax.models._at_size import at_size
from mspd_jax.models._batched import from_batched
from mspd_jax.models._build import build_module as build_module
from mspd_jax.models._build import checked_shapes as checked_shapes
from mspd_jax.models._build import create_model, predictor
from mspd_jax.models._build import function_of as function_of
from mspd_jax.models._build import gives_images as gives_images
from mspd_jax.models._build import is_told_noise as is_told_noise
from mspd_jax.models._build import model_kind as model_kind
from mspd_jax.models._build import takes_any_noise as takes_any_noise
from mspd_jax.models._build import train_outputs as train_outputs
from mspd_jax.models._callable import as_pytree as as_pytree
from mspd_jax.models._callable import behind
from mspd_jax.models._checkpoint import function_hash as function_hash
from mspd_jax.models._checkpoint import holds_model as holds_model
from mspd_jax.models._checkpoint import load_model, model_hash, save_model
from mspd_jax.models._diffusion import NoiseLevel as NoiseLevel
from mspd_jax.models._diffusion import alpha_bars as alpha_bars
from mspd_jax.models._diffusion import noise_level, one_shot_denoiser
from mspd_jax.models._ensemble import ensemble
from mspd_jax.models._mixed_nuts import mixed_nuts
from mspd_jax.models._precision import PRECISIONS as PRECISIONS
from mspd_jax.models._precision import check_precision as check_precision
from mspd_jax.models._precision import computed_in
from mspd_jax.models._precision import passes_in as passes_in
from mspd_jax.models._reach import PIXEL as PIXEL
from mspd_jax.models._reach import Reach as Reach
from mspd_jax.models._reach import reach_of as reach_of
from mspd_jax.models._restore import map_restorer as map_restorer
from mspd_jax.models._restore import restorer
from mspd_jax.models._spec import Model, ModelSpec
from mspd_jax.models._split import Split as Split
from mspd_jax.models._split import split
from mspd_jax.models.conversion import Published as Published
from mspd_jax.models.conversion import (
    convert_published,
    convert_torch,
    published_models,
)
from mspd_jax.models.conversion import find_published as find_published
from mspd_jax.models.foreign import from_onnx, from_torch
from mspd_jax.models.networks import DENOISER as DENOISER
from mspd_jax.models.networks import DIFFUSION as DIFFUSION
from mspd_jax.models.networks import LABEL_RULES as LABEL_RULES

# What users call; other rooms may import the rest.
__all__ = [
    "Model",
    "ModelSpec",
    "at_size",
    "behind",
    "computed_in",
    "convert_published",
    "convert_torch",
    "create_model",
    "ensemble",
    "from_batched",
    "from_onnx",
    "from_torch",
    "load_model",
    "mixed_nuts",
    "model_hash",
    "noise_level",
    "one_shot_denoiser",
    "predictor",
    "published_models",
    "restorer",
    "save_model",
    "split",
]
