"""A file or folder goes into the store, and comes out again under another name.

usage: add_and_get.py PATH COPY          the store: $IPFSA_PATH, else ~/.ipfs-accelerate"""
import sys

import ipfs_accelerate_py as ia


def main(path, copy):
    added = ia.add(path, cid_version=1, progress=True)  # a bar, where tqdm is installed
    print("added %(cid)s: %(files)d files, %(size)d bytes" % added)
    try:
        ia.get("ipfs://" + added["cid"], copy, timeout=600)  # every byte is verified
    except ia.Timeout as why:
        sys.exit(str(why))
    print("%s is in %s" % (added["cid"], copy))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
