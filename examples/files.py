"""Content through fsspec: what reads files by URL reads ipfs:// too.

usage: files.py FOLDER ALIAS             puts the folder under the alias, and looks around in it"""
import sys

import fsspec


def main(folder, alias):
    fs = fsspec.filesystem("ipfs")
    url = fs.put(folder, "ipfs://" + alias, recursive=True)
    print("%s is %s" % (alias, url))
    for path in fs.find("ipfs://" + alias):
        print("%9d  %s" % (fs.info(path)["size"], path))
    first = fs.find(url)[0]
    print("its first bytes:", fs.cat_file(first, 0, 16))  # these are all that is read
    with fsspec.open("ipfs://" + alias + "-notes", "wt") as file:
        file.write("put from %s\n" % url)
    with fsspec.open("ipfs://" + alias + "-notes", "rt") as file:
        print(file.read(), end="")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
