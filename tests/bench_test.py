#!/usr/bin/env python3
"""The arithmetic of the benchmarks: rows, promises, straight lines, tables and drawings, over figures that are known."""

import pathlib
import sys
import unittest
import xml.dom.minidom

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tests" / "e2e")]
sys.dont_write_bytecode = True
import measuring  # noqa: E402
import plots  # noqa: E402
import profiling  # noqa: E402
import report  # noqa: E402
import soak  # noqa: E402
from svg import Axis  # noqa: E402


def measured(rate, daemon):
    return {"per_second": rate, "median_us": 10.0, "p99_us": 20.0, "p999_us": 30.0, "cpu_us": {"caller": 1.0, "daemon": daemon}}


def compared(**more):
    found = {"us": [measured(rate, 5.0) for rate in (100, 300, 200)], "them": [measured(rate, 0.0) for rate in (100, 100, 50)]}
    return measuring.compare("work", found, unit="things/s", by="us", against="them", **more)


class Rows(unittest.TestCase):
    def test_ratios_are_taken_within_a_repeat(self):
        row = compared()
        self.assertEqual((row["ratio"], row["spread"], row["ours"], row["theirs"]), (3, [1, 4], 200, 100))
        self.assertEqual((row["budget"], row["met"]), (None, None))
        self.assertEqual(row["latency_us"]["ours"], {"p50": 10, "p99": 20, "p99.9": 30})
        self.assertEqual(row["cpu_us"]["ours"], {"caller": 1, "daemon": 5})

    def test_a_rate_must_reach_its_budget(self):
        self.assertTrue(compared(budget=3)["met"])
        self.assertFalse(compared(budget=3.01)["met"])

    def test_a_cost_may_not_exceed_it(self):
        def cost(ours):
            return measuring.row("work", [ours], [10], unit="µs", by="us", against="them", budget=0.02, cost=True)
        self.assertTrue(cost(0.2)["met"])
        self.assertFalse(cost(0.21)["met"])

    def test_contenders_take_turns(self):
        order = []
        found = measuring.interleaved(3, {name: lambda name=name: order.append(name) or name for name in "abc"}, "turns")
        self.assertEqual("".join(order), "abcbcacab")
        self.assertEqual(found, {name: [name] * 3 for name in "abc"})


class Reports(unittest.TestCase):
    bare = {"work": "of another", "against": "them", "ours": 1, "theirs": 2, "unit": "x/s", "ratio": 0.5, "spread": [0.4, 0.6], "budget": 0.9,
            "met": False}
    known = {"cpu": "none", "cpus": 2, "openssl": "OpenSSL", "crypto_mb": False, "time": "now", "load": 0.0, "repeats": 1, "seconds": 1.0}

    def test_promises_stand_first_and_are_counted(self):
        text = report.text([compared(), compared(budget=2), self.bare], self.known)
        self.assertIn("Promised: 1 of 2 met", text)
        self.assertRegex(text, r"of another .*\| +0\.5 .* at least 0\.9 \| +NO \|")
        self.assertLess(text.index("of another"), text.index("without a promise"))

    def test_drawings_are_xml(self):
        rows = [compared(budget=2), compared(), self.bare, measuring.row("a & b", [1], [2], unit="<µs>", by="x", against="y", budget=2, cost=True)]
        drawn = plots.of_rows([{"subject": "s", **row} for row in rows])
        self.assertEqual(sorted(drawn), ["promises", "s-things-s", "s-things-s-latency", "s-us", "s-x-s"])
        for text in drawn.values():
            xml.dom.minidom.parseString(text)

    def test_an_axis_places_its_ends(self):
        for log in (False, True):
            axis = Axis([1, 1000], 100, 200, log=log)
            places = [axis.place(value) for value in (1, 30, 1000)]
            self.assertEqual(places, sorted(places))
            self.assertTrue(all(100 <= place <= 200 for place in places))
            self.assertTrue(3 <= len(axis.ticks()) <= 12, axis.ticks())
        self.assertEqual(Axis([0, 10], 0, 100, zero=True).ticks(), [0, 2, 4, 6, 8, 10])

    def test_an_axis_of_any_length_has_ticks(self):
        for size in range(1, 1000):
            self.assertIn(len(Axis([0, size / 10], 0, 100).ticks()), range(4, 12), size)


class Soaks(unittest.TestCase):
    @staticmethod
    def windows(growth):
        return [{"at": 30.0 * i, "per_second": 100.0, "median_us": 50.0, "p99_us": 70.0, "p999_us": 90.0 + (i % 2), "errors": 0,
                 "operations": 3000, "caller_rss": 20.0, "daemon_rss": 100.0 + growth * i} for i in range(1, 41)]

    def test_a_line_has_its_rise(self):
        self.assertAlmostEqual(soak.rise([0, 1, 2], [9, 10, 11]), 20)
        self.assertAlmostEqual(soak.rise([0, 1, 2, 3], [5, 5, 5, 5]), 0)

    def test_growth_is_found(self):
        self.assertEqual([one["figure"] for one in soak.verdict(self.windows(0)) if not one["flat"]], [])
        self.assertEqual([one["figure"] for one in soak.verdict(self.windows(0.2)) if not one["flat"]], ["memory of the daemon"])

    def test_its_drawing_is_xml(self):
        xml.dom.minidom.parseString(soak.plot(self.windows(0.2)))


class Profiles(unittest.TestCase):
    def test_shares_are_added_up(self):
        found = profiling.parse("        400|[kernel.kallsyms]  |[k] read\n        305|libcrypto.so.3|[.] 0x00000000001a2b3c\n"
                                "        250 |libcrypto.so.3|[.] 0x00000000001a2b40\n    20|keyclaved     |[.] ns::f(int)\n    25|libc.so.6|[.] g\n")
        self.assertEqual(found["samples"], 1000)
        self.assertEqual(found["libraries"], {"libcrypto.so.3": 55.5, "kernel": 40, "libc.so.6": 2.5, "keyclaved": 2})
        self.assertEqual([(one["function"], one["percent"]) for one in found["functions"]], [("(no name)", 55.5), ("read", 40)])


if __name__ == "__main__":
    unittest.main(verbosity=2)
