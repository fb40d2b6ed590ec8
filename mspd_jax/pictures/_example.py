"""A photograph that ships with the package.

The cat Chelsea, by Stefan van der Walt, who has put it under CC0: it may be used for
anything. As scikit-image ships it, packed as JPEG.
"""

import pathlib

EXAMPLE = pathlib.Path(__file__).with_name("cat.jpg")
