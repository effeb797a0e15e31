"""`make install`: everything is where it belongs, and a C program finds and uses the library through pkg-config."""
import os
import re
import shutil
import subprocess

import pytest

from conftest import PROGRAM, ROOT

EXAMPLE = r"""
#include <ipfsa/add.h>
#include <ipfsa/job.h>
#include <stdio.h>
#include <string.h>

static int show(void *ctx, const void *data, size_t len) { return fwrite(data, 1, len, (FILE *)ctx) == len ? 0 : 1; }

int main(int argc, char **argv) {
  ipfsa_error err;
  ipfsa_node *node = NULL;
  ipfsa_node_options open;
  ipfsa_add_options add;
  ipfsa_job *job = NULL;
  ipfsa_job_result result;
  char path[IPFSA_MAX_CID_TEXT];
  const char *paths[1];
  memset(&err, 0, sizeof err);
  memset(&open, 0, sizeof open);
  memset(&add, 0, sizeof add);
  if (argc != 3) return 2;
  open.struct_size = sizeof open;
  open.repo_path = argv[1];
  open.create = true;
  add.struct_size = sizeof add;
  add.cid_version_1 = IPFSA_ON;
  paths[0] = argv[2];
  if (ipfsa_node_open(&open, &node, NULL, &err) || ipfsa_job_start_add(node, paths, 1, -1, &add, &job, &err) || ipfsa_job_finish(job, &result, &err)) {
    fprintf(stderr, "%s\n", err.message);
    return 1;
  }
  ipfsa_cid_format(&result.root, path);
  printf("%s\n", path);
  if (ipfsa_cat(node, path, 0, UINT64_MAX, show, stdout, NULL, NULL, &err)) return 1;
  ipfsa_node_close(node);
  return 0;
}
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    if not shutil.which("meson"):
        pytest.skip("skipped: meson is missing")
    dest = tmp_path_factory.mktemp("dest")
    subprocess.run(["meson", "install", "-C", str(PROGRAM.parent), "--no-rebuild", "--quiet", "--destdir", str(dest)], check=True, stdout=subprocess.DEVNULL)
    return dest


def find(dest, name):
    found = list(dest.rglob(name))
    assert len(found) == 1, (name, found)
    return found[0]


def test_everything_is_in_its_place(installed):
    assert find(installed, "bin/ipfs-accelerate").stat().st_mode & 0o111
    find(installed, "libipfsa.so")
    find(installed, "ipfsa.pc")
    headers = {p.name for p in find(installed, "include/ipfsa").iterdir()}
    assert headers == {p.name for p in (ROOT / "include/ipfsa").glob("*.h")}
    for name in ("share/bash-completion/completions/ipfs-accelerate", "share/zsh/site-functions/_ipfs-accelerate",
                 "share/fish/vendor_completions.d/ipfs-accelerate.fish"):
        assert find(installed, name).read_text().startswith("#")


def words(program):
    return [line.split(" ", 1)[1] for line in subprocess.run([program, "commands"], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()[1:]]


def test_the_man_page_has_every_command(installed, program):
    if not shutil.which("scdoc"):
        pytest.skip("skipped: scdoc is missing")
    text = find(installed, "ipfs-accelerate.1").read_text().replace("\\-", "-").replace("\\", "")
    for verb in words(program):
        assert "fB%sfR" % verb in text, verb


def test_completions_have_every_command(installed, program):
    bash = find(installed, "share/bash-completion/completions/ipfs-accelerate").read_text()
    fish = find(installed, "ipfs-accelerate.fish").read_text()
    for verb in words(program):
        assert "'%s') words=" % verb in bash and re.search("-a '%s'" % verb.split()[-1], fish), verb


def test_bash_completes(installed):
    script = find(installed, "share/bash-completion/completions/ipfs-accelerate")
    ask = 'source "$0"; COMP_WORDS=(ipfs-accelerate files ch); COMP_CWORD=2; _ipfs_accelerate; echo "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-c", ask, str(script)], stdout=subprocess.PIPE, text=True, check=True, cwd=installed)
    assert set(done.stdout.split()) == {"chcid", "chmod", "chroot"}


@pytest.mark.parametrize("compiler", [["cc", "-std=c99"], ["c++", "-std=c++17"]])
def test_a_program_is_built_with_pkg_config(installed, tmp_path, compiler):
    if not shutil.which("pkg-config"):
        pytest.skip("skipped: pkg-config is missing")
    folder = find(installed, "ipfsa.pc").parent
    env = {**os.environ, "PKG_CONFIG_PATH": str(folder), "PKG_CONFIG_SYSROOT_DIR": str(installed)}
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "ipfsa"], env=env, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    source = tmp_path / ("user.c" if compiler[0] == "cc" else "user.cpp")
    source.write_text(EXAMPLE)
    subprocess.run([*compiler, "-pedantic-errors", "-Wall", "-Wextra", "-Werror", "-o", str(tmp_path / "user"), str(source), *flags], check=True)
    (tmp_path / "hello").write_text("hello\n")
    done = subprocess.run([tmp_path / "user", tmp_path / "repo", tmp_path / "hello"], stdout=subprocess.PIPE, text=True,
                          env={**os.environ, "LD_LIBRARY_PATH": str(find(installed, "libipfsa.so").parent)}, check=True)
    assert done.stdout == "bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am\nhello\n"


def test_the_installed_program_runs(installed):
    env = {**os.environ, "LD_LIBRARY_PATH": str(find(installed, "libipfsa.so").parent)}
    assert subprocess.run([find(installed, "bin/ipfs-accelerate"), "version", "-n"], env=env, stdout=subprocess.PIPE, check=True).stdout.strip()
