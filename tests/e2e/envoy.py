"""A real Envoy as a test runs it, and what else `./run deps envoy` puts into build/deps/envoy."""

import os
import re
import shutil

from lab import SOURCE_DIR, accepts, wait_until

DEPS = SOURCE_DIR / "build" / "deps" / "envoy"
PAGE = SOURCE_DIR / "docs" / "servers" / "envoy.md"


def of_deps(name):
    path = DEPS / name
    assert path.exists(), f"{path} is missing: ./run deps envoy"
    return path


def envoy_binary():
    return of_deps("envoy")


def node_modules():
    return of_deps("node_modules")


def page_block(name):
    """The fenced block of docs/servers/envoy.md that begins with `# name`."""
    found = re.findall(rf"^```yaml\n# {re.escape(name)}\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    assert len(found) == 1, f"{PAGE} has {len(found)} blocks of {name}"
    return found[0]


def replaced(text, pairs):
    """The text with each old part, which must be in it, replaced by the new one."""
    for old, new in pairs:
        assert old in text, f"{old!r} is not in the page"
        text = text.replace(old, str(new))
    return text


class Envoy:
    """One Envoy: a copy of the program with some bytes more, so that each is an executable of its own."""

    def __init__(self, lab, name, port):
        self.lab, self.name, self.port = lab, name, port
        self.program = lab.dir / f"envoy-{name}"
        shutil.copy(envoy_binary(), self.program)
        with self.program.open("ab") as out:
            out.write(name.encode())
        self.program.chmod(0o755)
        self.process = None

    def start(self, bootstrap):
        path = self.lab.write(f"{self.name}.yaml", bootstrap)
        self.process = self.lab.spawn([self.program, "-c", path, "--disable-hot-restart", "--log-level", "info",
                                       "--concurrency", "2"], f"envoy-{self.name}.log", env={"HOME": os.fspath(self.lab.dir)})
        wait_until(lambda: accepts(self.port), f"Envoy {self.name} to serve", seconds=60, process=self.process)
        return self

    def log(self):
        return (self.lab.dir / f"envoy-{self.name}.log").read_text(errors="replace")
