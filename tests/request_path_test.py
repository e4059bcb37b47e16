#!/usr/bin/env python3
"""docs/life_of_a_request.md is true: the numbered files exist, define the function that the page names, and each function is
called from a file before it (or from a header which that file includes)."""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "life_of_a_request.md"
STEP = re.compile(r"^(\d+)\. \[`([^`]+)`\]\(\.\./([^)]+)\) · `([^`]+)`", re.M)
MAX_STEPS = 14
MAX_LINES = 400


def steps(text):
    return [(int(number), path, link, name) for number, path, link, name in STEP.findall(text)]


def last(name):
    """Dispatcher::Handle -> Handle"""
    return name.rpartition("::")[2]


def mentions(path, name):
    """Whether the file, or a project header that it includes (also through others), has the word."""
    seen, todo = set(), [path]
    while todo:
        one = todo.pop()
        if one in seen or not one.is_file():
            continue
        seen.add(one)
        text = one.read_text()
        if re.search(rf"\b{re.escape(name)}\b", text):
            return True
        todo += [ROOT / header for header in re.findall(r'#include "([^"]+\.h)"', text)]
    return False


class LifeOfARequest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.steps = steps(PAGE.read_text())

    def test_is_numbered_from_one_without_gaps(self):
        self.assertGreaterEqual(len(self.steps), 10)
        self.assertEqual([number for number, *_ in self.steps], list(range(1, len(self.steps) + 1)))

    def test_can_be_read_in_one_sitting(self):
        self.assertLessEqual(len(self.steps), MAX_STEPS)
        for _, path, _, _ in self.steps:
            self.assertLessEqual(len((ROOT / path).read_text().splitlines()), MAX_LINES, path)

    def test_names_files_that_exist_and_functions_that_they_define(self):
        for _, path, link, name in self.steps:
            self.assertEqual(path, link)
            self.assertTrue((ROOT / path).is_file(), path)
            self.assertRegex((ROOT / path).read_text(), rf"\b{re.escape(last(name))}\b", f"{path} has no {name}")

    def test_each_step_is_reached_from_one_before(self):
        for place, (_, path, _, name) in enumerate(self.steps[1:], 1):
            before = [ROOT / earlier for _, earlier, _, _ in self.steps[:place] if earlier != path]
            self.assertTrue(any(mentions(one, last(name)) for one in before), f"nothing before {path} mentions {name}")

    def test_ends_in_the_mechanism(self):
        self.assertTrue(self.steps[-1][1].startswith("enclave/mech/"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
