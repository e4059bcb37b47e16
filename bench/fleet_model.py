#!/usr/bin/env python3
"""What of a fleet is used up first, from what one daemon, one commit and one key cost.

A model, not a measurement: it multiplies. The costs are those of docs/performance.md and of fleet_costs.py (--costs takes the JSON that it prints); the load
is what the options say. docs/scale.md says what is left out.

    python3 bench/fleet_model.py                                  # 10 million keys, 10,000 callers, 100 daemons
    python3 bench/fleet_model.py --keys 100000 --daemons 3 --costs costs.json
"""

import argparse
import dataclasses
import json
import math
import pathlib

DAY = 86400.0
GIB = 2.0 ** 30


@dataclasses.dataclass(frozen=True)
class Costs:
    """Of one thing each, as measured on two cores (docs/scale.md has where each figure is from)."""

    sign_cpu_us: float = 21.3            # the daemon's, of one P-256 signature
    attest_cpu_us: float = 1e6 / 1255    # of one attestation: at most this
    caller_bytes: float = 7.3 * 1024     # of a daemon's memory, for a connected caller
    key_bytes: float = 676.0             # of a daemon's memory, for an idle key pair
    start_key_us: float = 21.1           # of a start, for one key pair, on two cores
    etcd_key_bytes: float = 1959.0       # in etcd, for one key pair: names and values of its two rows
    commits: float = 300.0               # a second, all members together, one after the other: "some hundreds" (ADR 19)
    commit_taken_in_cpu_us: float = 1100.0  # of a member's one thread, for a commit of another
    row_taken_in_cpu_us: float = 82.0    # the same for one row of many
    etcd_commit_cpu_us: float = 14000.0  # of all members of etcd together, for one commit: at most this
    etcd_follower_cpu_us: float = 4500.0  # in addition, for each daemon that follows: at most this


@dataclasses.dataclass(frozen=True)
class Load:
    keys: int = 10_000_000
    callers: int = 10_000
    daemons: int = 100
    cores: int = 2                    # of a daemon's machine, and of each of etcd's
    daemon_gib: float = 8.0           # of a daemon's memory
    etcd_members: int = 3
    quota_gib: float = 8.0            # etcd's advice for --quota-backend-bytes, at most; its default is 2
    signatures: float = 10.0          # a second, of each caller
    attest_seconds: float = 900.0     # between two proofs of a caller
    key_days: float = 90.0            # after which a key is replaced
    limited_keys: int = 0             # keys with a rate, in use at the same time
    limited_members: int = 3          # daemons at which each of those is in use
    marks: float = 1 / 900            # a second, of each daemon: its newest checkpoint
    start_seconds: float = 60.0       # in which a daemon is to start
    policy_keys: int = 1_000_000      # under the largest policy
    policy_seconds: float = 600.0     # in which a change of it is to be everywhere


@dataclasses.dataclass(frozen=True)
class Use:
    """How much of something is asked for, and how much there is."""

    name: str
    asked: float
    there_is: float
    unit: str
    sharded: bool = True  # whether a fleet for each part of the keys has less of it

    @property
    def share(self):
        return self.asked / self.there_is


def commits_asked(load):
    """A second: a key that is replaced is one that is made and one that is destroyed; a rate is set aside ten times a second where it is in use."""
    return 2 * load.keys / (load.key_days * DAY) + load.daemons * load.marks + 10.0 * load.limited_keys * load.limited_members


def uses(costs, load):
    """All of them, the scarcest first."""
    commits = commits_asked(load)
    per_daemon = load.callers / load.daemons
    processor = per_daemon * (load.signatures * costs.sign_cpu_us + costs.attest_cpu_us / load.attest_seconds) / 1e6
    following = commits * costs.commit_taken_in_cpu_us / 1e6
    etcd = commits * (costs.etcd_commit_cpu_us + load.daemons * costs.etcd_follower_cpu_us) / 1e6
    memory = load.keys * costs.key_bytes + per_daemon * costs.caller_bytes
    # Sealed anew, a hundred rows to a transaction (staged, then moved), and taken in by everybody.
    policy = 2 * load.policy_keys / 100 / costs.commits + load.policy_keys * costs.row_taken_in_cpu_us / 1e6
    found = [
        Use("bytes in etcd", load.keys * costs.etcd_key_bytes / GIB, load.quota_gib, "GiB"),
        Use("memory of a daemon", memory / GIB, load.daemon_gib, "GiB"),
        Use("start of a daemon", load.keys * costs.start_key_us / 1e6 * 2 / load.cores, load.start_seconds, "s"),
        Use("commits, one after the other", commits, costs.commits, "1/s"),
        Use("taking in what others change", following, 1.0, "threads"),
        Use("processors of etcd", etcd, float(load.cores * load.etcd_members), "cores"),
        Use("a change of the largest policy", policy, load.policy_seconds, "s"),
        Use("processors of a daemon", processor, float(load.cores), "cores", sharded=False),
    ]
    return sorted(found, key=lambda use: use.share, reverse=True)


def shards(found):
    """In how many fleets, each with its part of the keys, nothing of them is used up."""
    return max(math.ceil(use.share) for use in found if use.sharded)


def daemons_for(costs, load):
    """How many daemons the callers' work alone takes."""
    found = {use.name: use for use in uses(costs, dataclasses.replace(load, daemons=1))}
    return math.ceil(found["processors of a daemon"].share)


def figure(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def table(found):
    lines = ["| what | asked for | there is | used |", "|---|---|---|---|"]
    lines += [f"| {use.name} | {figure(use.asked)} {use.unit} | {figure(use.there_is)} {use.unit} | {figure(100 * use.share)} % |" for use in found]
    return "\n".join(lines)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for field in dataclasses.fields(Load):
        parser.add_argument("--" + field.name.replace("_", "-"), type=type(field.default), default=field.default)
    parser.add_argument("--costs", type=pathlib.Path, help="a file with other costs: JSON")
    return parser.parse_args()


def costs_of(text):
    """The costs of a JSON text; what it does not name stays, and what only fleet_costs.py knows is passed over."""
    given = json.loads(text)
    given["commits"] = given.get("commits", given.get("commits_8_callers", Costs.commits))
    return Costs(**{field.name: float(given[field.name]) for field in dataclasses.fields(Costs) if field.name in given})


def main():
    options = vars(arguments())
    path = options.pop("costs")
    costs = costs_of(path.read_text()) if path else Costs()
    load = Load(**options)
    found = uses(costs, load)
    print(table(found))
    full = [use.name for use in found if use.share > 1]
    print(f"\nUsed up: {', '.join(full)}." if full else "\nNothing is used up.")
    print(f"Fleets that the keys are to be divided among: {shards(found)}. Daemons that the signatures alone take: {daemons_for(costs, load)}.")


if __name__ == "__main__":
    main()
