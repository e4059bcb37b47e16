#!/usr/bin/env python3
"""Limits that keep the code readable, and words that must not be in it.

Files have at most 400 lines, functions at most 60. Memory is touched as raw bytes in enclave/base only. Processes are ended
by id, tests wait for conditions. Each exemption stands below with its reason; one that is not needed any more fails too.
"""

import ast
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
MAX_FILE = 400
MAX_FUNCTION = 60

LONG_FILES = {
}
LONG_FUNCTIONS = {
    # "path: name": "reason"
    "pkcs11/rv_map.cc: ToRv": "a table in the form of a switch, so that the compiler asks for every code",
    "enclave/client/client.cc: IsRepeatable": "the same, for every operation",
}
# Where raw memory may be touched: enclave/base (ByteReader, SecretBytes …) and these, for what a C interface forces.
RAW_MEMORY = {
    "attest/tpm/tss2.cc": "function pointers out of dlsym(3)",
    "bench/handshake_bench.cc": "sockaddr_in as connect(2) wants it",
    "bench/pkcs11_token.cc": "a function pointer out of dlsym(3)",
    "enclave/mech/multi_buffer.cc": "function pointers out of dlsym(3)",
    "enclave/mech/multi_buffer_run.cc": "octets as the library's array types want them",
    "tests/e2e/pkcs11_load_main.cc": "a function pointer out of dlsym(3)",
    "tests/fake_crypto_mb.cc": "OpenSSL's octets in strings",
    "tests/unit/mech/sign_batch_test.cc": "a function pointer out of dlsym(3)",
}

# Tests that leave something out, and why. (A missing program is never a reason.)
SKIPS = {
    "tests/unit/attest/vectors_snp_test.cc": "the evidence of others is not in this repository",
    "tests/unit/attest/vectors_cca_test.cc": "the evidence of others is not in this repository",
    "tests/unit/attest/vectors_nitro_test.cc": "the evidence of others is not in this repository",
    "tests/unit/attest/vectors_token_test.cc": "evidence of real services that is not the project's to hand out",
    "tests/unit/attest/vectors_tpm_test.cc": "evidence of real hardware that is not the project's to hand out",
    "tests/e2e/evidence_vectors_test.py": "evidence of real hardware that is not the project's to hand out",
    "tests/e2e/co_resident_test.py": "only root may run a program as another user",
    "tests/e2e/audit_break_test.py": "only root may mount a small disk; a limit on file sizes stands in for it elsewhere",
    "tests/e2e/cli_prompt_test.py": "a tree whose /dev/pts nobody mounted has no terminals",
    "tests/e2e/crypto_mb_test.py": "hardware: AVX-512 IFMA",
    "tests/contract/store_contract_test.cc": "a store in memory cannot be opened a second time",
    "tests/unit/attest/vectors_dcap_test.cc": "the samples of real machines are no part of the repository",
    "tests/fault/disk_test.cc": "only root may mount a small disk; the other ways to fill one run everywhere",
}
# Where a wait for a condition takes its breath.
SLEEPS = {
    "tests/e2e/links.py": "what a slow link is",
    "tests/e2e/processes.py": "wait_until",
    "tests/fault/kill9_test.cc": "the moment of each kill is random",
}

TEXT = {".cc", ".h", ".inc", ".py", ".sh", ".md", ".yaml", ".cnf", ".module", ".service", ".txt", ".map", ".json", ""}
SKIP = {"build", ".git", "__pycache__", "corpus", "vectors", "results"}


def files(*suffixes):
    """The project's files with one of these suffixes ('' matches scripts without one)."""
    found = []
    todo = [ROOT]
    while todo:
        for path in todo.pop().iterdir():
            if path.is_symlink():
                continue
            if path.is_dir():
                if path.name not in SKIP:
                    todo.append(path)
            elif path.suffix in suffixes and path.name != "LICENSE" and path.name != ".git":
                found.append(path)
    return sorted(found)


def relative(path):
    return str(path.relative_to(ROOT))


def without_comments(text):
    """C++ text with comments and literals blanked and preprocessor lines removed; the lines stay where they are."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))
    token = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])*\'', re.S)
    text = token.sub(blank, text)
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", blank, text, flags=re.M)


SCOPE = re.compile(r"^\s*(template\s*<[^{]*>\s*)?(inline\s+)?(namespace|class|struct|union|enum|extern)\b[^()]*(KC_\w+\(.*\)[^()]*)?$", re.S)
NAME = re.compile(r"([A-Za-z_~][\w:~]*|operator\s*\S+?)\s*\(")


def without_initialisers(text):
    """`a_{1}` becomes blank: in formatted code a body's brace has a space before it, an initialiser's has none."""
    braces = re.compile(r"(?<=[\w>)\]])\{[^{}]*\}")
    while True:
        shorter = braces.sub(lambda match: re.sub(r"[^\n]", " ", match.group(0)), text)
        if shorter == text:
            return text
        text = shorter


def functions(text):
    """(name, first line, last line) of every function body at namespace or class scope of formatted C++."""
    text = without_initialisers(without_comments(text))
    found, stack, start = [], [], 0
    for place in re.finditer(r"[{};]", text):
        if place.group(0) == "{":
            head = text[start:place.start()]
            is_function = ")" in head and not SCOPE.match(head) and not any(one for one in stack)
            name = NAME.search(head)
            begin = start + len(head) - len(head.lstrip())
            stack.append((name.group(1), begin) if is_function and name else None)
        elif place.group(0) == "}" and stack:
            function = stack.pop()
            if function:
                name, begin = function
                found.append((name, text.count("\n", 0, begin) + 1, text.count("\n", 0, place.start()) + 1))
        start = place.end()
    return found


def python_functions(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node.lineno, node.end_lineno


def shell_functions(text):
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if re.match(r"\w+\(\) \{$", line):
            yield line.split("(")[0], number + 1, lines.index("}", number) + 1


def long_functions():
    for path in files(".cc", ".h", ".py", ".sh", ""):
        text = path.read_text()
        if path.suffix in (".cc", ".h"):
            found = functions(text)
        elif path.suffix == ".py":
            found = python_functions(text)
        elif text.startswith("#!/usr/bin/env bash"):
            found = shell_functions(text)
        else:
            continue
        for name, first, last in found:
            if last - first + 1 > MAX_FUNCTION:
                yield f"{relative(path)}: {name}", f"{last - first + 1} lines from line {first}"


def lines_with(pattern, paths):
    expression = re.compile(pattern)
    for path in paths:
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if expression.search(line):
                yield f"{relative(path)}:{number}: {line.strip()}"


class Limits(unittest.TestCase):
    def assert_only(self, found, exempt):
        """`found` (name -> what) holds nothing but what is exempt, and all of it."""
        surprises = [f"{name}: {what}" for name, what in sorted(found.items()) if name not in exempt]
        self.assertEqual(surprises, [], "\n" + "\n".join(surprises))
        self.assertEqual(sorted(set(exempt) - set(found)), [], "exempt for no reason")

    def test_files_are_short(self):
        long = {}
        for path in files(".cc", ".h", ".inc", ".py", ".sh", "", ".cmake"):
            count = len(path.read_text().splitlines())
            if count > MAX_FILE:
                long[relative(path)] = f"{count} lines"
        self.assert_only(long, LONG_FILES)

    def test_functions_are_short(self):
        self.assert_only(dict(long_functions()), LONG_FUNCTIONS)

    def test_raw_memory_is_touched_in_base_only(self):
        found = {}
        for path in files(".cc", ".h"):
            if relative(path).startswith("enclave/base/"):
                continue
            for number, line in enumerate(without_comments(path.read_text()).splitlines(), 1):
                if re.search(r"\breinterpret_cast\b|\b(std::)?mem(cpy|move)\s*\(|\bstr(n?cpy|n?cat)\s*\(|\bsprintf\s*\(|\balloca\s*\(", line):
                    found.setdefault(relative(path), f"line {number}: {line.strip()}")
        self.assert_only(found, RAW_MEMORY)

    def test_no_shell_from_the_product(self):
        product = [p for p in files(".cc", ".h") if not relative(p).startswith(("tests/", "bench/"))]
        self.assertEqual(list(lines_with(r"\b(std::)?system\(|\bpopen\(", product)), [])

    def test_processes_are_ended_by_id(self):
        paths = [p for p in files(".py", ".sh", ".cc", ".md", "") if p.name != "limits_test.py"]
        self.assertEqual(list(lines_with(r"\b(pkill|killall)\b", paths)), [])

    def test_tests_wait_for_conditions(self):
        self.assert_only(self.lines_in_tests(r"\btime\.sleep\(|\bsleep_(for|until)\b|\bu?sleep\(|\bnanosleep\("), SLEEPS)

    def test_tests_do_not_skip(self):
        self.assert_only(self.lines_in_tests(r"GTEST_SKIP|\bDISABLED_|skipTest|unittest\.skip|@skip"), SKIPS)

    @staticmethod
    def lines_in_tests(pattern):
        paths = [p for p in files(".py", ".cc", ".h") if relative(p).startswith("tests/") and p.name != "limits_test.py"]
        return {line.split(":")[0]: line for line in lines_with(pattern, paths)}

    def test_nothing_is_left_unfinished(self):
        paths = [p for p in files(*TEXT) if p.name != "limits_test.py"]
        self.assertEqual(list(lines_with(r"\b(TODO|FIXME|XXX|HACK)\b", paths)), [])

    def test_no_trace_of_a_workplace(self):
        paths = [p for p in files(*TEXT) if p.name != "limits_test.py"]
        self.assertEqual(list(lines_with(r"/(work|home|Users)/\w|\bDESIGN(\.md)?\b|\bSTYLE\.md\b|\b(the|your) brief\b", paths)), [])

    def test_each_lesson_is_where_the_threat_model_says(self):
        rows = re.findall(r"^\| (\d+b?) \|.*\|(.*)\|$", (ROOT / "docs/threat_model.md").read_text(), re.M)
        self.assertGreater(len(rows), 15)
        for number, where in rows:
            for pattern in re.findall(r"`(tests/[^`]+)`", where):
                paths = list(ROOT.glob(pattern))
                self.assertTrue(paths, pattern)
                for path in paths:
                    if "*" not in pattern:
                        named = re.search(rf"\b[lL]esson {number}\b", path.read_text())
                        self.assertTrue(named, f"{pattern} does not name lesson {number}")

    def test_each_capability_is_where_coming_from_says(self):
        text = (ROOT / "docs/coming-from.md").read_text()
        rows = [row for row in re.findall(r"^\|(?!---| there \|).*\|(.*)\|$", text, re.M)]
        self.assertGreater(len(rows), 60)
        for where in rows:
            self.assertRegex(where, r"`tests/|later: ", "a row that names neither a test nor the version that it waits for")
        for row, where in zip(re.findall(r"^\|(?!---| there \|)(.*)\|$", text, re.M), rows):
            for pattern in re.findall(r"`(tests/[^`]+)`", where):
                self.assertTrue(list(ROOT.glob(pattern)), f"{pattern}, which is named for: {row}")

    def test_each_trap_has_its_tests(self):
        """docs/provider_traps.md: per row files of tests, each with the names of its tests behind it."""
        rows = re.findall(r"^\| (\d+) \|.*\|(.*)\|$", (ROOT / "docs/provider_traps.md").read_text(), re.M)
        self.assertEqual([int(number) for number, _ in rows], list(range(1, 20)))
        for number, where in rows:
            text = ""
            for name in re.findall(r"`([^`]+)`", where):
                if name.endswith((".py", ".cc")):
                    text = "".join(path.read_text() for path in (ROOT / "tests").rglob(name))
                    self.assertTrue(text, f"{name}, for trap {number}")
                else:
                    self.assertRegex(text, rf"\b{name}\b", f"for trap {number}")

    def test_documents_that_the_code_names_exist(self):
        missing = []
        for path in files(".cc", ".h", ".inc", ".py", ".md", ".yaml", ""):
            for name in re.findall(r"\bdocs/[\w/-]+\.md\b", path.read_text(errors="replace")):
                if not (ROOT / name).is_file():
                    missing.append(f"{relative(path)} names {name}")
        self.assertEqual(missing, [])


class TheCheckItself(unittest.TestCase):
    def test_finds_functions_of_every_shape(self):
        text = ("namespace a {\nvoid F() {\n  if (x) {\n    y();\n  }\n}\nclass C : public D {\n public:\n  C() : a_{1}, b_(2) {\n"
                "    G();\n  }\n  int g() const { return 1; }\n};\nstruct S {\n  int a = 0;\n};\nenum class E : int { kA };\n"
                "extern \"C\" {\nint H(const char* s) {\n  return s['{'];  // }\n}\n}\n"
                "template <class T>\nResult<T> K(T t) {\n  auto l = [](int x) {\n    return \"}\";\n  };\n  return l;\n}\n}  // namespace a\n")
        found = functions(text)
        self.assertEqual([name for name, *_ in found], ["F", "C", "g", "H", "K"])
        self.assertEqual({name: last - first + 1 for name, first, last in found}["F"], 5)
        self.assertEqual({name: last - first + 1 for name, first, last in found}["K"], 7)

    def test_finds_a_long_function(self):
        text = "void Long(int a) {\n" + "  f();\n" * 70 + "}\n"
        self.assertEqual(functions(text), [("Long", 1, 72)])

    def test_finds_a_long_constructor_behind_its_initialisers(self):
        text = "C::C(int a) : a_{a}, b_{1} {\n" + "  f();\n" * 70 + "}\n"
        self.assertEqual(max(last - first + 1 for _, first, last in functions(text)), 72)

    def test_comments_and_strings_are_no_code(self):
        self.assertNotIn("memcpy", without_comments('// memcpy(\n/* memcpy( */ auto s = "memcpy(";\n'))


if __name__ == "__main__":
    unittest.main(verbosity=2)
