r"""Protects pictures in the browser: a page on this machine, for people.

    python -m launch.studio --open
    python -m launch.studio --port=7861 --max_files=20 --max_megabytes=40

Prints the address of the page, which answers on this machine alone and asks nobody
else for anything. Pictures are protected one request at a time; what was uploaded is
deleted with the server (Ctrl-C), or an hour or two after its page was last used. Needs
pip install 'mspd_jax[studio]'; docs/pictures.md says more.
"""

from launch import _main, _studio

if __name__ == "__main__":
    _main.run_job(_studio.Studio, show=_studio.ended, default_out="")
