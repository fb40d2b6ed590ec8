"""A store in memory in the place of S3, which notes requests and fails on demand."""

import contextlib
import hashlib
import pathlib

from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import _registry, register_implementation


class Bucket(MemoryFileSystem):
    """Objects by name. requests: what was asked. fails: called with each request.

    As in S3, an object's `ETag` is the hash of its content, also of a copy.
    """

    protocol = ("s3",)
    store: dict = {}
    pseudo_dirs = [""]
    requests: list = []
    fails = None

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.replace("s3://", "memory://", 1))

    def _asked(self, what, path):
        type(self).requests.append((what, path))
        if type(self).fails is not None:
            type(self).fails(what, path)

    def _tagged(self, info):
        if info["type"] != "file":
            return info
        content = self.store[info["name"]].getvalue()
        return info | {"ETag": f'"{hashlib.md5(content).hexdigest()}"'}

    def info(self, path, **kwargs):
        self._asked("info", path)
        return self._tagged(super().info(path, **kwargs))

    def ls(self, path, detail=True, **kwargs):
        self._asked("list", path)
        found = super().ls(path, detail, **kwargs)
        return [self._tagged(each) for each in found] if detail else found

    def find(self, path, **kwargs):
        self._asked("list", path)
        found = super().find(path, **kwargs)
        if kwargs.get("detail"):
            found = {name: self._tagged(each) for name, each in found.items()}
        return found

    def cat_file(self, path, **kwargs):
        self._asked("get", path)
        return super().cat_file(path, **kwargs)

    def pipe_file(self, path, value, **kwargs):
        self._asked("put", path)
        return super().pipe_file(path, value, **kwargs)

    def put_file(self, lpath, rpath, **kwargs):
        self.pipe_file(rpath, pathlib.Path(lpath).read_bytes())

    def get_file(self, rpath, lpath, **kwargs):
        pathlib.Path(lpath).write_bytes(self.cat_file(rpath))

    def cp_file(self, path1, path2, **kwargs):
        self._asked("copy", path2)
        return super().cp_file(path1, path2, **kwargs)

    def rm_file(self, path):
        self._asked("delete", path)
        return super().rm_file(path)


@contextlib.contextmanager
def in_memory():
    """An empty store behind s3://, as long as it is needed."""
    Bucket.store, Bucket.pseudo_dirs, Bucket.requests = {}, [""], []
    Bucket.fails = None
    register_implementation("s3", Bucket, clobber=True)
    try:
        yield Bucket
    finally:
        _registry.pop("s3")
        Bucket.clear_instance_cache()
