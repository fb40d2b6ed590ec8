"""The page of `mspd studio`: what is asked, done and shown; Gradio draws it.

Nothing that the browser says is trusted: paths must lie in the folder of uploads,
values are read as flags are. Only `_page` and `_serve` know Gradio.
"""

from launch._studio._job import Studio as Studio
from launch._studio._job import ended as ended
