"""The networks, each in a file with its row, and the table of all rows."""

from mspd_jax.models.networks._alexnet import ALEXNET
from mspd_jax.models.networks._bagnet import BAGNET
from mspd_jax.models.networks._binary_preact import BINARY_PREACT_RESNET
from mspd_jax.models.networks._convnext import CONVNEXT
from mspd_jax.models.networks._densenet import DENSENET, DENSENET_161
from mspd_jax.models.networks._dncnn import DNCNN, DNCNN_WIDE
from mspd_jax.models.networks._efficientnet import EFFICIENTNET_LITE, EFFICIENTNETS
from mspd_jax.models.networks._ensemble import Ensemble, log_mean_probability
from mspd_jax.models.networks._family import (
    CLASSIFIER,
    DENOISER,
    DIFFUSION,
    OWN_NOISE,
    RESTORATION,
    TOLD_NOISE,
    Family,
    Normalization,
)
from mspd_jax.models.networks._ffdnet import FFDNET
from mspd_jax.models.networks._gated_bottleneck import RA_WRN_101
from mspd_jax.models.networks._kair_dncnn import KAIR_DNCNN
from mspd_jax.models.networks._layers import as_channels, fold_norms
from mspd_jax.models.networks._layouts import AS_IT_IS, TRANSPOSED, Layout
from mspd_jax.models.networks._memnet import MEMNET
from mspd_jax.models.networks._plain_cnn import PLAIN_CNN
from mspd_jax.models.networks._plain_preactivation import (
    PLAIN_PREACT_RESNET,
    PLAIN_WIDE_RESNET,
)
from mspd_jax.models.networks._preact_bottleneck import PREACT_BOTTLENECK_RESNET
from mspd_jax.models.networks._preactivation import PREACT_RESNET, WIDE_RESNET
from mspd_jax.models.networks._residual_cnn import RESIDUAL_CNN
from mspd_jax.models.networks._resnest import RESNESTS
from mspd_jax.models.networks._resnet import (
    CIFAR_RESNET,
    IMAGENET_RESNET,
    IMAGENET_WIDE_RESNET,
    LRR_RESNET,
    RESNET,
)
from mspd_jax.models.networks._resnext import RESNEXT
from mspd_jax.models.networks._small_cnn import SMALL_CNN
from mspd_jax.models.networks._staged_wide import (
    RA_WRN,
    ROBUST_WIDE_RESNET,
    WRN_A4,
)
from mspd_jax.models.networks._swin import SWIN
from mspd_jax.models.networks._trn import LABEL_RULES, TRN_LARGE, TRN_SMALL
from mspd_jax.models.networks._unet import DDPM, IMPROVED_DDPM
from mspd_jax.models.networks._vgg import PLAIN_VGG, VGG_NORM
from mspd_jax.models.networks._vit import VIT
from mspd_jax.models.networks._xcit import XCIT

# In the order in which help texts show them.
FAMILIES = (
    RESNET,
    PREACT_RESNET,
    WIDE_RESNET,
    PLAIN_PREACT_RESNET,
    PLAIN_WIDE_RESNET,
    CIFAR_RESNET,
    LRR_RESNET,
    BINARY_PREACT_RESNET,
    PREACT_BOTTLENECK_RESNET,
    ROBUST_WIDE_RESNET,
    WRN_A4,
    RA_WRN,
    RESNEXT,
    *RESNESTS,
    SMALL_CNN,
    PLAIN_CNN,
    RESIDUAL_CNN,
    IMAGENET_RESNET,
    IMAGENET_WIDE_RESNET,
    RA_WRN_101,
    ALEXNET,
    VGG_NORM,
    PLAIN_VGG,
    DENSENET,
    DENSENET_161,
    *EFFICIENTNETS,
    EFFICIENTNET_LITE,
    BAGNET,
    *CONVNEXT,
    *VIT,
    *XCIT,
    *SWIN,
    DNCNN,
    DNCNN_WIDE,
    KAIR_DNCNN,
    FFDNET,
    MEMNET,
    DDPM,
    IMPROVED_DDPM,
    TRN_LARGE,
    TRN_SMALL,
)

__all__ = [
    "AS_IT_IS",
    "CLASSIFIER",
    "DENOISER",
    "DIFFUSION",
    "Ensemble",
    "FAMILIES",
    "Family",
    "LABEL_RULES",
    "Layout",
    "Normalization",
    "OWN_NOISE",
    "RESTORATION",
    "TOLD_NOISE",
    "TRANSPOSED",
    "as_channels",
    "fold_norms",
    "log_mean_probability",
]
