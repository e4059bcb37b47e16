#!/usr/bin/env python3
"""What a fleet's daemons cost each other: commits through three members of etcd, taking in what another has changed, bytes of a key.

Three daemons, three members of etcd (TLS) and the callers are on this machine and share its processors and its disk; no network is between them. Processor
times are the kernel's clocks of the processes and say what machines of their own would spend; rates are a floor, for all share the processors. Prints JSON
with the names that fleet_model.py knows.

    python3 bench/fleet_costs.py --keys 5000 > costs.json
"""

import argparse
import base64
import json
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "e2e"))
sys.dont_write_bytecode = True
from fleet import make_fleet  # noqa: E402
from lab import BUILD_DIR, Lab, wait_until  # noqa: E402

TOKEN = "scale"


def cpu_seconds(process):
    return sum(int(one.read_text().split()[0]) for one in pathlib.Path(f"/proc/{process.pid}/task").glob("*/schedstat")) / 1e9


class Fleet:
    def __init__(self, keys):
        self.lab = Lab(start=False)
        self.made = 0
        try:
            self.lab.start_daemon()
            self.lab.make_token(TOKEN)
            self.lab.stop()
            self.lab.run([BUILD_DIR / "bin" / "fill_store", "--config", self.lab.config, "--token", TOKEN, "--keys", keys], timeout=3600)
            self.etcd, self.members = make_fleet(self.lab, 3)
        except BaseException:
            self.lab.close()
            raise

    def load(self, member, work, **options):
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        return json.loads(self.lab.run([BUILD_DIR / "bin" / "scale_bench", "--config", member.client_config, "--token", TOKEN, "--work", work,
                                        *words], timeout=600).stdout)

    def make(self, member, count, threads):
        self.made += 1
        return self.load(member, "make", count=count, threads=threads, name=f"{member.name}.{self.made}")

    def revision(self):
        return int(self.etcd.ask(0, "/v3/kv/range", {"key": "AA=="})["header"]["revision"])

    def wait_until_equal(self):
        def objects():
            return {member.cli("status", json=True)["objects"] for member in self.members}
        wait_until(lambda: len(objects()) == 1, "the members to be the same", seconds=120)


def commits(fleet, count):
    """One caller and eight, at one member. Another that only follows says what taking in one commit after the other costs."""
    idle = fleet.members[2]
    before, cpu = fleet.revision(), cpu_seconds(idle.process)
    found = {"commits_1_caller": fleet.make(fleet.members[0], count, 1)["per_second"],
             "commits_8_callers": fleet.make(fleet.members[0], count, 8)["per_second"]}
    fleet.wait_until_equal()
    found["commit_taken_in_cpu_us"] = 1e6 * (cpu_seconds(idle.process) - cpu) / (fleet.revision() - before)
    return found


def etcd_cpu(fleet, count):
    """What all members of etcd together take for one commit of a daemon."""
    before, cpu = fleet.revision(), sum(map(cpu_seconds, fleet.etcd.processes))
    fleet.make(fleet.members[0], count, 8)
    return 1e6 * (sum(map(cpu_seconds, fleet.etcd.processes)) - cpu) / (fleet.revision() - before)


def rows_taken_in(fleet, count):
    """Two members that were stopped meanwhile take in what they have missed: the processor time of one for a row (a key pair has two). And what etcd
    takes for a commit with nobody who follows, and what each who follows adds."""
    late = fleet.members[1:]
    followed = etcd_cpu(fleet, count)
    fleet.wait_until_equal()
    for member in late:
        member.process.send_signal(signal.SIGSTOP)
    alone = etcd_cpu(fleet, count)
    cpu = cpu_seconds(late[0].process)
    for member in late:
        member.process.send_signal(signal.SIGCONT)
    fleet.wait_until_equal()
    return {"row_taken_in_cpu_us": 1e6 * (cpu_seconds(late[0].process) - cpu) / (2 * count), "etcd_commit_cpu_us": alone,
            "etcd_follower_cpu_us": max(0.0, followed - alone) / len(late)}


def sizes(fleet, keys):
    found = [(base64.b64decode(key), base64.b64decode(value)) for key, value in everything(fleet, 0)]
    rows = [(key, value) for key, value in found if b"/row/" in key]
    taken = int(fleet.etcd.ask(0, "/v3/maintenance/status", {})["dbSize"])
    return {"etcd_key_bytes": sum(len(key) + len(value) for key, value in rows) / keys, "etcd_file_bytes_per_pair": taken / keys}


def everything(fleet, number):
    """All that etcd has, in pages."""
    key = base64.b64encode(b"\0").decode()
    while True:
        answer = fleet.etcd.ask(number, "/v3/kv/range", {"key": key, "range_end": "AA==", "limit": 2000})
        yield from ((one["key"], one["value"]) for one in answer["kvs"])
        if not answer.get("more"):
            return
        key = base64.b64encode(base64.b64decode(answer["kvs"][-1]["key"]) + b"\0").decode()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=5_000, help="that there are before anything is measured")
    parser.add_argument("--count", type=int, default=300, help="keys that one measurement makes")
    options = parser.parse_args()
    fleet = Fleet(options.keys)
    try:
        found = sizes(fleet, options.keys)
        for measured in (commits, rows_taken_in):
            found.update(measured(fleet, options.count))
            print(found, file=sys.stderr)
    finally:
        fleet.lab.close()
    print(json.dumps({name: float(f"{value:.4g}") for name, value in found.items()}, indent=1))


if __name__ == "__main__":
    main()
