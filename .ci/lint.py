#!/usr/bin/env python3
"""clang-format and clang-tidy over the sources. A file that passed is not looked at again until it, a header that it
includes, or the rules change: the verdicts are kept under build/lint/."""

import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDERS = ("attest", "enclave", "pkcs11", "ossl_provider", "tests", "bench")
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def sources():
    """Every C++ file of the project, relative to its root."""
    found = []
    for folder in FOLDERS:
        for pattern in ("*.cc", "*.h"):
            found += (path.relative_to(ROOT) for path in (ROOT / folder).rglob(pattern))
    return sorted(found)


def closure(path, seen):
    """Adds `path` and all of the project's files that it includes to `seen`."""
    if path in seen or not (ROOT / path).is_file():
        return
    seen.add(path)
    for name in INCLUDE.findall((ROOT / path).read_text(errors="replace")):
        for candidate in (pathlib.Path(name), path.parent / name):
            if (ROOT / candidate).is_file():
                closure(candidate, seen)


def check_format(files):
    print(f"clang-format: {len(files)} files")
    return subprocess.run(["clang-format", "--dry-run", "-Werror", *map(str, files)], cwd=ROOT, check=False).returncode == 0


class Tidy:
    """clang-tidy over the files of a compilation database, with remembered passes."""

    def __init__(self, build):
        self.build = build
        self.cache = ROOT / "build" / "lint"
        self.cache.mkdir(parents=True, exist_ok=True)
        version = subprocess.run(["clang-tidy", "--version"], capture_output=True, check=True).stdout
        self.rules = version + (ROOT / ".clang-tidy").read_bytes()
        self.commands = {}
        for entry in json.loads((build / "compile_commands.json").read_text()):
            path = pathlib.Path(entry["file"]).resolve()
            if path.is_relative_to(ROOT):
                self.commands.setdefault(path.relative_to(ROOT), entry["command"])

    def key(self, path):
        digest = hashlib.sha256(self.rules)
        # Where the build folder lies does not matter, what the compiler is told does.
        flags = [word for word in shlex.split(self.commands[path]) if word.startswith(("-D", "-W", "-f", "-std", "-O"))]
        digest.update(" ".join(flags).encode())
        files = set()
        closure(path, files)
        for one in sorted(files):
            digest.update(f"{one}\0".encode() + hashlib.sha256((ROOT / one).read_bytes()).digest())
        return self.cache / digest.hexdigest()

    def check(self, path):
        """Returns (path, whether it passed, what clang-tidy said)."""
        mark = self.key(path)
        if mark.exists():
            return path, True, None
        # gcc's flags that clang does not know must not count as findings.
        done = subprocess.run(["clang-tidy", "-p", str(self.build), "--quiet", "--extra-arg=-Wno-unknown-warning-option",
                               str(path)], cwd=ROOT, capture_output=True, text=True, check=False)
        passed = done.returncode == 0
        if passed:
            mark.write_text(f"{path}\n")
        return path, passed, done.stdout + ("" if passed else done.stderr)

    def run(self, files):
        files = [path for path in files if path in self.commands]
        failed = []
        looked = 0
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for path, passed, said in pool.map(self.check, files):
                looked += said is not None
                if not passed:
                    failed.append(path)
                    print(said, flush=True)
        print(f"clang-tidy: {len(files)} files, {looked} looked at, {len(failed)} with findings")
        return not failed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, required=True, help="build folder with compile_commands.json")
    parser.add_argument("--all", action="store_true", help="forget remembered passes")
    parser.add_argument("files", nargs="*", type=pathlib.Path, help="only these")
    arguments = parser.parse_args()
    files = [path.resolve().relative_to(ROOT) for path in arguments.files] or sources()
    formatted = check_format(files)
    tidy = Tidy(arguments.build.resolve())
    if arguments.all:
        for mark in tidy.cache.iterdir():
            mark.unlink()
    sys.exit(0 if tidy.run([path for path in files if path.suffix == ".cc"]) and formatted else 1)


if __name__ == "__main__":
    main()
