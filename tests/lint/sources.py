"""The files that the lint tests look at: what git tracks, or, outside a checkout, all but build trees."""

import pathlib
import subprocess


def source_files(root, suffixes):
    """Paths relative to `root`, with '/', of the files that end in one of `suffixes`, sorted."""
    root = pathlib.Path(root)
    names = []
    if (root / ".git").exists():
        # The checkout may belong to another user than the one that runs the tests.
        listing = subprocess.run(
            ["git", "-c", f"safe.directory={root.resolve()}", "-C", str(root), "ls-files", "-z"],
            check=True, capture_output=True)
        names = [name.decode() for name in listing.stdout.split(b"\0") if name]
    else:
        names = [path.relative_to(root).as_posix() for path in root.rglob("*")]
    return sorted(name for name in names
                  if name.endswith(tuple(suffixes)) and not name.startswith(("build/", ".git/"))
                  and "/node_modules/" not in name and (root / name).is_file())
