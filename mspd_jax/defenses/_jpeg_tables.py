"""The constants of JPEG: ISO/IEC 10918-1, Annex K.1, JFIF 1.02, libjpeg's qualities."""

import numpy as np

_LUMA = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
_CHROMA = np.full((8, 8), 99)
_CHROMA[:4, :4] = [
    [17, 18, 24, 47],
    [18, 21, 26, 66],
    [24, 26, 56, 99],
    [47, 66, 99, 99],
]
TO_YCC = np.array(
    [
        [0.299, 0.587, 0.114],
        [-0.168735892, -0.331264108, 0.5],
        [0.5, -0.418687589, -0.081312411],
    ],
    np.float32,
)
TO_RGB = np.array(
    [[1.0, 0.0, 1.402], [1.0, -0.344136286, -0.714136286], [1.0, 1.772, 0.0]],
    np.float32,
)
CENTER = np.array([0.0, 128.0, 128.0], np.float32).reshape(3, 1, 1)


def quantization_table(quality: int, *, chroma: bool = False) -> np.ndarray:
    """The steps of the 8x8 coefficients: float32, in whole numbers of 1 to 255."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    table = _CHROMA if chroma else _LUMA
    return np.clip((table * scale + 50) // 100, 1, 255).astype(np.float32)


def cosines() -> np.ndarray:
    """The orthonormal DCT-II of 8 samples as a matrix: float32 [frequency, sample]."""
    sample, frequency = np.arange(8) + 0.5, np.arange(8)
    matrix = np.cos(np.pi / 8 * frequency[:, None] * sample[None, :]) / 2
    matrix[0] /= np.sqrt(2.0)
    return matrix.astype(np.float32)
