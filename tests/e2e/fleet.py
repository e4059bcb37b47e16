"""A fleet for tests: several daemons over copies of one state directory, which makes them members with the same enclave id and
the same keys. What is made afterwards, only the member has where it was made."""

import shutil
import signal
import subprocess

from lab import KEYCLAVED, PATIENCE
from processes import end_process, wait_until


class Member:
    """One daemon of a fleet, with a client configuration that names it alone."""

    def __init__(self, lab, number):
        self.lab, self.process = lab, None
        folder = lab.dir / f"member{number}"
        self.socket = folder / "keyclaved.sock"
        self.endpoint = f"unix:{self.socket}"
        self.config = folder / "keyclaved.yaml"
        self.client_config = folder / "client.yaml"
        self.log = lab.dir / f"member{number}.log"
        folder.mkdir()
        shutil.copytree(lab.state, folder / "state")
        self.config.write_text(lab.config.read_text().replace(str(lab.state), str(folder / "state"))
                               .replace(str(lab.socket), str(self.socket)))
        self.client_config.write_text(lab.client_config.read_text().replace(str(lab.socket), str(self.socket)))

    def start(self):
        with self.log.open("ab") as out:
            self.process = subprocess.Popen([str(KEYCLAVED), "--config", str(self.config)], stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=subprocess.STDOUT, env=self.lab.foreign_env(KEYCLAVED),
                                            cwd=self.lab.dir)
        self.lab.on_close(end_process, self.process)
        wait_until(lambda: self.cli("status", check=False).returncode == 0, "a member to answer", process=self.process)
        return self

    def end(self, how=signal.SIGTERM):
        """Returns the exit status (negative: the signal's number)."""
        self.process.send_signal(how)
        return self.process.wait(timeout=30 * PATIENCE)

    def cli(self, *arguments, **more):
        return self.lab.cli(*arguments, env={"KEYCLAVE_CONFIG": str(self.client_config)}, **more)

    def signatures(self):
        return self.cli("status", json=True)["operations"].get("Sign", 0)


def make_fleet(lab, count):
    """Stops the lab's daemon and starts `count` members with its keys; all programs of the lab then have the fleet."""
    lab.stop()
    members = [Member(lab, number).start() for number in range(count)]
    text = lab.client_config.read_text()
    one = next(line for line in text.splitlines() if line.startswith("endpoint:"))
    endpoints = ", ".join(member.endpoint for member in members)
    # Patience with a busy machine: a signature that takes a third of the deadline is asked for once more.
    assert "deadline: 5s" in text
    lab.client_config.write_text(text.replace(one, f"endpoints: [{endpoints}]").replace("deadline: 5s", "deadline: 15s"))
    return members
