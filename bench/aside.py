"""What a run left behind is emptied and put aside, and removed when all is measured: ext4 does not give the inodes of files that were deleted in the last
minutes to new ones and looks past them one by one, so that whoever makes many files next would pay for it (`recently_deleted` in its profile)."""
import itertools
import os

LARGE = 65536  # bytes; smaller files keep their content, there is room for it
numbers = itertools.count()


def put_aside(path):
    if not path.exists():
        return
    folder = path.parent / "aside"
    folder.mkdir(exist_ok=True)
    away = folder / str(next(numbers))
    path.rename(away)
    for found in [away] if away.is_file() else away.rglob("*"):
        if found.is_file() and not found.is_symlink() and found.stat().st_size >= LARGE:
            os.truncate(found, 0)
