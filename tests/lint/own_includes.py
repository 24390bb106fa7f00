"""What a file of the tree includes, directly or not, of the tree's own files."""

import functools
import pathlib
import re

_INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
# Roots of include paths: of everything, of libshoal's public headers, of the fork protocol.
_ROOTS = ["", "client/", "proto/"]


class OwnIncludes:
    """The include graph of the tree below `root`; generated and foreign headers are not in it."""

    def __init__(self, root):
        self._root = pathlib.Path(root)

    @functools.lru_cache(maxsize=None)
    def direct(self, path):
        """Paths of the files that `path` names in an #include line, sorted."""
        text = (self._root / path).read_text(encoding="utf-8")
        beside = pathlib.PurePosixPath(path).parent.as_posix() + "/"
        found = set()
        for name in _INCLUDE.findall(text):
            found.update([prefix + name for prefix in [*_ROOTS, beside] if (self._root / (prefix + name)).is_file()][:1])
        return sorted(found)

    def closure(self, path):
        """`path` and everything that is read with it, sorted."""
        seen, left = {path}, [path]
        while left:
            for name in self.direct(left.pop()):
                if name not in seen:
                    seen.add(name)
                    left.append(name)
        return sorted(seen)
