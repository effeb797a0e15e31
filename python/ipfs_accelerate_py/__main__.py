"""python -m ipfs_accelerate_py …: the program, ipfs-accelerate, with the same arguments."""
import os
import sys


def main():
    from ._library import program_path

    path = program_path()
    if path is None:
        sys.exit("ipfs-accelerate: the program is not installed beside this package nor in $PATH")
    try:
        if not os.access(path, os.X_OK):  # a wheel may lose the mode of what it holds
            os.chmod(path, 0o755)
        os.execv(path, ["ipfs-accelerate", *sys.argv[1:]])
    except OSError as why:
        sys.exit("ipfs-accelerate: %s cannot be run: %s" % (path, why.strerror))


if __name__ == "__main__":
    main()
