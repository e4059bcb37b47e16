"""TLS servers as tests run them: with the configuration that their page in docs/servers shows, in a folder of the lab."""

import pathlib
import re
import shutil
import socket

from processes import SOURCE_DIR, accepts, alive, catches, child_pids, end_process, free_port, wait_until


def page_blocks(page, language):
    """The blocks in this language on a page of docs/servers."""
    text = (SOURCE_DIR / "docs" / "servers" / f"{page}.md").read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def page_configuration(page):
    """The one block of configuration on a page."""
    block, = page_blocks(page, "conf")
    return block


def replaced(text, changes):
    """`text` with every change made. What is not there cannot be changed: then page and test have drifted apart."""
    for old, new in changes.items():
        assert old in text, f"the configuration does not say {old!r}:\n{text}"
        text = text.replace(old, str(new))
    return text


class Server:
    """A server in the foreground. Subclasses say how its configuration differs from the page's, and its command."""

    page = None
    replaces_workers = True  # with each reload; one that does not says in its log
    reload_word = None       # that it has read its configuration again
    exit_status = (0,)       # of one that was asked to end

    def __init__(self, lab, name=None, env=None):
        self.lab, self.name, self.env = lab, name or self.page, env or {}
        self.dir = lab.dir / self.name
        self.dir.mkdir(parents=True)
        self.log = lab.dir / f"{self.name}.log"
        self.config = self.dir / f"{self.page}.conf"
        self.certificate, self.key = self.dir / "www.crt", self.dir / "www.key"
        self.ports = [free_port()]
        self.process = None

    @property
    def port(self):
        return self.ports[0]

    def configure(self, certificate, key):
        """Takes this pair from the next start or reload on: files, which are copied, or for the key what else names it."""
        shutil.copy(certificate, self.certificate)
        if isinstance(key, pathlib.Path):
            shutil.copy(key, self.key)
            key = self.key
        self.config.write_text(self.configuration(key))
        return self

    def configuration(self, key):
        """The page's configuration as it is here."""
        return replaced(page_configuration(self.page), self.changes(key))

    def changes(self, key):
        """What the configuration says here instead of what the page says."""
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    def check(self):
        """What the server says about its configuration; the finished process."""
        raise NotImplementedError

    def start(self):
        """Starts it and returns once it serves."""
        self.process = self.lab.spawn(self.command(), self.log.name, env=self.env)
        wait_until(self.ready, f"{self.name} to serve", process=self.process)
        return self

    def ready(self):
        return all(map(accepts, self.ports)) and self.listens_to_signals()

    def listens_to_signals(self):
        """A signal that comes before is lost, or ends it."""
        return catches(self.process.pid, self.reload_signal)

    def workers(self):
        """Ids of the processes that serve."""
        return child_pids(self.process.pid)

    def ask_to_reload(self):
        wait_until(self.listens_to_signals, f"{self.name} to listen to signals", process=self.process)
        self.process.send_signal(self.reload_signal)

    def reload(self):
        """Has it read its configuration again; returns when nobody serves with what was read before."""
        before, said = self.workers(), self.log_text().count(self.reload_word) if self.reload_word else 0
        self.ask_to_reload()
        if self.replaces_workers:
            wait_until(lambda: not any(map(alive, before)), f"old workers of {self.name} to end", process=self.process)
        else:
            wait_until(lambda: self.log_text().count(self.reload_word) > said, f"{self.name} to say {self.reload_word}",
                       process=self.process)

    def stop(self):
        """Ends it; returns the exit status."""
        return end_process(self.process)

    def log_text(self):
        return self.log.read_text(errors="replace")

    def connect(self):
        """A connection on which a client may begin its handshake."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def talk(self, tls):
        """One request over a finished handshake; raises unless it is answered."""
        tls.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        page = b""
        while block := tls.recv(4096):
            page += block
        if b"200 OK" not in page or b"served by" not in page:
            raise ConnectionError(f"{self.name} answered {page!r}")
