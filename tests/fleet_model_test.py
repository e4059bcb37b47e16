#!/usr/bin/env python3
"""The arithmetic of bench/fleet_model.py, over costs that are easy to multiply."""

import dataclasses
import io
import pathlib
import sys
import unittest
from unittest import mock

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))
sys.dont_write_bytecode = True
import fleet_model  # noqa: E402
from fleet_model import GIB, Costs, Load, Use, commits_asked, costs_of, daemons_for, shards, table, uses  # noqa: E402

COSTS = Costs(sign_cpu_us=100, attest_cpu_us=1000, caller_bytes=0, key_bytes=1000, start_key_us=10, etcd_key_bytes=GIB / 1e6, commits=100,
              commit_taken_in_cpu_us=1000, row_taken_in_cpu_us=10, etcd_commit_cpu_us=1000, etcd_follower_cpu_us=100)
LOAD = Load(keys=1_000_000, callers=100, daemons=10, cores=2, daemon_gib=1, etcd_members=3, quota_gib=2, signatures=100, attest_seconds=100,
            key_days=1, limited_keys=0, marks=0, start_seconds=20, policy_keys=100_000, policy_seconds=100)


def asked(load, costs=COSTS):
    return {use.name: use for use in uses(costs, load)}


class FleetModel(unittest.TestCase):
    def test_what_is_asked_for_is_cost_times_number(self):
        found = asked(LOAD)
        commits = 2 * 1_000_000 / 86400
        self.assertAlmostEqual(found["bytes in etcd"].asked, 1.0)
        self.assertAlmostEqual(found["start of a daemon"].asked, 10.0)
        self.assertAlmostEqual(found["commits, one after the other"].asked, commits)
        self.assertAlmostEqual(found["taking in what others change"].asked, commits / 1000)
        self.assertAlmostEqual(found["processors of etcd"].asked, commits * 0.002)
        self.assertAlmostEqual(found["processors of a daemon"].asked, 10 * (100 * 100e-6 + 1e-3 / 100))
        self.assertAlmostEqual(found["a change of the largest policy"].asked, 2 * 1000 / 100 + 1.0)

    def test_the_scarcest_comes_first(self):
        first = {"etcd's quota": (dataclasses.replace(LOAD, daemon_gib=8, start_seconds=60), "bytes in etcd"),
                 "a small memory": (dataclasses.replace(LOAD, daemon_gib=0.5), "memory of a daemon"),
                 "keys of a day": (dataclasses.replace(LOAD, key_days=0.1), "commits, one after the other"),
                 "many signatures": (dataclasses.replace(LOAD, signatures=10_000), "processors of a daemon")}
        for name, (load, what) in first.items():
            with self.subTest(name):
                found = uses(COSTS, load)
                self.assertEqual(found[0].name, what)
                self.assertEqual([use.share for use in found], sorted((use.share for use in found), reverse=True))

    def test_a_rate_is_a_commit_ten_times_a_second_at_each_daemon(self):
        self.assertAlmostEqual(commits_asked(dataclasses.replace(LOAD, limited_keys=2, limited_members=3)) - commits_asked(LOAD), 60.0)

    def test_parts_of_the_keys_relieve_what_grows_with_keys_and_nothing_else(self):
        self.assertEqual(shards([Use("a", 7, 2, "GiB"), Use("b", 1, 2, "GiB")]), 4)
        self.assertEqual(shards([Use("a", 1, 2, "GiB"), Use("b", 9, 1, "cores", sharded=False)]), 1)
        self.assertEqual(daemons_for(COSTS, dataclasses.replace(LOAD, callers=1_000)), 6)  # 10.01 cores

    def test_costs_that_a_file_names_replace_the_measured_ones(self):
        costs = costs_of('{"key_bytes": 5, "commits_8_callers": 70, "daemon_rss": 1}')
        self.assertEqual((costs.key_bytes, costs.commits, costs.sign_cpu_us), (5.0, 70.0, Costs.sign_cpu_us))
        self.assertEqual(costs_of('{"commits": 50, "commits_8_callers": 70}').commits, 50.0)

    def test_the_table_has_a_row_for_each(self):
        lines = table(uses(COSTS, LOAD)).splitlines()
        self.assertEqual(len(lines), 2 + len(uses(COSTS, LOAD)))
        self.assertIn("| bytes in etcd | 1 GiB | 2 GiB | 50 % |", lines)

    def test_the_program_says_what_is_used_up(self):
        out = io.StringIO()
        with mock.patch.object(sys, "argv", ["fleet_model.py", "--keys", "100000000"]), mock.patch("sys.stdout", out):
            fleet_model.main()
        self.assertRegex(out.getvalue(), r"Used up: .*bytes in etcd")
        with mock.patch.object(sys, "argv", ["fleet_model.py", "--keys", "1000"]), mock.patch("sys.stdout", io.StringIO()) as out:
            fleet_model.main()
        self.assertIn("Nothing is used up.", out.getvalue())


if __name__ == "__main__":
    unittest.main()
