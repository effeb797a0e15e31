"""Prints a man page's source with the program's commands in the place of @COMMANDS@.

usage: fill-in.py PROGRAM SOURCE
"""
import json
import subprocess
import sys


def plain(text):
    """Text that scdoc takes as it is."""
    return "".join("\\" + c if c in "*_\\#<>[" else c for c in text)


def describe(verb, before=""):
    name = before + verb["Name"]
    options = ["%s%s" % ("-" if len(n) == 1 else "--", n) for option in verb["Options"] for n in option["Names"]]
    lines = ["*%s*" % plain(name), "\t" + plain(verb["Tagline"])] + (["\tOptions: " + ", ".join("*%s*" % plain(o) for o in options)] if options else []) + [""]
    for child in verb["Subcommands"]:
        lines += describe(child, name + " ")
    return lines


tree = json.loads(subprocess.run([sys.argv[1], "commands", "--enc=json"], stdout=subprocess.PIPE, check=True).stdout)
text = "\n".join(line for verb in tree["Subcommands"] for line in describe(verb))
print(open(sys.argv[2]).read().replace("@COMMANDS@\n", text), end="")
