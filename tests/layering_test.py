#!/usr/bin/env python3
"""The rooms of the house: which code may include which.

The libraries of CMakeLists.txt are a DAG in the order of their lines, and every #include stays within what its library
is linked with. Code outside enclave/ sees only the public rooms enclave/base, enclave/wire and enclave/client. (Unit,
contract, fault and fuzz tests look into every room: that is their work.)
"""

import pathlib
import re
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PUBLIC = ("enclave/base", "enclave/wire", "enclave/client")
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.M)
# Headers of others, and the CMake target that brings them.
EXTERNAL = {
    "openssl/": "OpenSSL::", "gnutls/": "PkgConfig::GNUTLS", "cbor.h": "PkgConfig::CBOR", "yaml-cpp/": "PkgConfig::YAMLCPP",
    "sqlite3.h": "PkgConfig::SQLITE", "seccomp.h": "PkgConfig::SECCOMP", "nlohmann/": "nlohmann_json::", "CLI/": "CLI11::",
    "spdlog/": "spdlog::", "p11-kit/": "PkgConfig::P11KIT", "libtasn1.h": "PkgConfig::TASN1",
    "grpcpp/": "sds_proto", "discovery.pb.h": "sds_proto", "secret.pb.h": "sds_proto", "sds.grpc.pb.h": "sds_proto",
    "microhttpd.h": "PkgConfig::MICROHTTPD",
}


class House:
    """The rooms as CMakeLists.txt declares them: for every library, program and module its folders and what it links."""

    def __init__(self, root):
        self.root = root
        text = re.sub(r"#[^\n]*", "", (root / "CMakeLists.txt").read_text())
        self.folders = {}  # target -> folders (or single files)
        self.links = {}  # target -> what it links directly
        self.order = []
        for name, folders, rest in re.findall(r'kc_library\(\s*(kc_\w+)\s+("[^"]*"|\S+?)(?=[\s)])([^)]*)\)', text):
            self._add(name, folders.strip('"').split(";"), rest.split())
        for name, folder, rest in re.findall(r"kc_module\(\s*([\w-]+)\s+(\w+)\s+[\w-]+\s+[\w.]+([^)]*)\)", text):
            self._add(name, [folder], ["kc_client", *rest.split()])
        for name, folder in (("keyclaved", "enclave/main.cc"), ("keyclave", "enclave/ctl/main.cc"),
                             ("keyclave-sds", "enclave/sds/main.cc"), ("keyclave-kbs", "enclave/kbs/main.cc")):
            found = re.search(rf"target_link_libraries\(\s*{name} PRIVATE([^)]*)\)", text)
            self._add(name, [folder], found.group(1).split() if found else [])

    def _add(self, name, folders, links):
        self.order.append(name)
        self.folders[name] = folders
        self.links[name] = links

    def reach(self, target):
        """Everything that `target` links, directly or not, and itself."""
        seen, todo = set(), [target]
        while todo:
            one = todo.pop()
            if one not in seen:
                seen.add(one)
                todo += self.links.get(one, [])
        return seen

    def files(self, target):
        for folder in self.folders[target]:
            path = self.root / folder
            if path.is_file():
                yield path
            else:
                yield from (p for p in sorted(path.glob("*")) if p.suffix in (".cc", ".h", ".inc") and p.name != "main.cc")

    def out_of_order(self):
        """Libraries that link one that stands below them, or that does not exist."""
        wrong = []
        for place, name in enumerate(self.order):
            for link in self.links[name]:
                if link.startswith("kc_") and link not in self.order[:place]:
                    wrong.append(f"{name} links {link}, which is not above it")
        return wrong

    def forbidden_includes(self, target):
        allowed = self.reach(target)
        rooms = [folder for one in allowed for folder in self.folders.get(one, [])]
        outside = not self.folders[target][0].startswith("enclave/")
        for path in self.files(target):
            for kind, name in INCLUDE.findall(path.read_text()):
                where = f"{path.relative_to(self.root)} includes {name}"
                if kind == '"':
                    room = str(pathlib.PurePosixPath(name).parent)
                    if room not in rooms:
                        yield f"{where}: {target} does not link the library of {room}/"
                    elif outside and room.startswith("enclave/") and room not in PUBLIC:
                        yield f"{where}: {room}/ is private to the daemon"
                else:
                    for prefix, library in EXTERNAL.items():
                        if name.startswith(prefix) and not any(one.startswith(library) for one in allowed):
                            yield f"{where}: {target} does not link {library}"

    def strays(self):
        """Source files that belong to no target: nothing would check them."""
        owned = {path for target in self.order for path in self.files(target)}
        owned.add(self.root / "enclave" / "main.cc")
        for top in ("attest", "enclave", "pkcs11", "ossl_provider"):
            for path in sorted((self.root / top).rglob("*.cc")) + sorted((self.root / top).rglob("*.h")):
                if path not in owned:
                    yield str(path.relative_to(self.root))


class TheHouse(unittest.TestCase):
    def setUp(self):
        self.house = House(ROOT)

    def test_its_libraries_are_found(self):
        self.assertGreaterEqual(len([name for name in self.house.order if name.startswith("kc_")]), 13)
        self.assertIn("keyclave-pkcs11", self.house.order)
        self.assertIn("PkgConfig::GNUTLS", self.house.reach("kc_client"))

    def test_libraries_are_a_dag_in_the_order_of_their_lines(self):
        self.assertEqual(self.house.out_of_order(), [])

    def test_includes_stay_within_what_is_linked(self):
        wrong = [line for target in self.house.order for line in self.house.forbidden_includes(target)]
        self.assertEqual(wrong, [], "\n" + "\n".join(wrong))

    def test_every_source_belongs_to_a_target(self):
        self.assertEqual(list(self.house.strays()), [])

    def test_the_benchmarks_use_public_rooms_only(self):
        # What grant_bench measures is inside the daemon: it stands where the unit tests' fixture stands. fill_store does the
        # daemon's work in its place.
        inside = {"grant_bench.cc", "fill_store.cc"}
        wrong = [f"{path.name} includes {name}" for path in sorted((ROOT / "bench").glob("*.cc"))
                 for kind, name in INCLUDE.findall(path.read_text())
                 if kind == '"' and name.startswith("enclave/") and not name.startswith(PUBLIC) and path.name not in inside]
        self.assertEqual(wrong, [])

    def test_the_pkcs11_module_links_no_openssl(self):
        self.assertEqual([one for one in self.house.reach("keyclave-pkcs11") if one.startswith("OpenSSL")], [])


class TheCheckItself(unittest.TestCase):
    """A check that cannot fail proves nothing: a house with one fault of each kind."""

    CMAKE = """
        kc_library(kc_base enclave/base PkgConfig::GNUTLS)  # comment kc_library(kc_no x)
        kc_library(kc_attest "attest;attest/tee" kc_base)
        kc_library(kc_client enclave/client kc_attest)
        kc_library(kc_low enclave/low kc_high)
        kc_library(kc_high enclave/high kc_base)
        target_link_libraries(keyclaved PRIVATE kc_high)
        kc_module(keyclave-pkcs11 pkcs11 keyclave-pkcs11 exports.map)
        """

    def house(self, files):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        root = pathlib.Path(folder.name)
        (root / "CMakeLists.txt").write_text(self.CMAKE)
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        return House(root)

    def test_sees_a_library_above_its_dependency(self):
        self.assertEqual(self.house({}).out_of_order(), ["kc_low links kc_high, which is not above it"])

    def test_sees_an_include_upwards(self):
        house = self.house({"enclave/base/a.cc": '#include "enclave/high/h.h"\n', "attest/tee/b.cc": '#include "attest/x.h"\n'})
        self.assertEqual(len(list(house.forbidden_includes("kc_base"))), 1)
        self.assertEqual(list(house.forbidden_includes("kc_attest")), [])

    def test_sees_a_private_room_from_outside(self):
        house = self.house({"pkcs11/a.cc": '#include "enclave/high/h.h"\n#include "enclave/base/b.h"\n'})
        self.assertEqual(len(list(house.forbidden_includes("keyclave-pkcs11"))), 1)

    def test_sees_a_library_of_others_that_is_not_linked(self):
        house = self.house({"pkcs11/a.cc": "#include <openssl/evp.h>\n#include <gnutls/gnutls.h>\n#include <vector>\n"})
        self.assertEqual(len(list(house.forbidden_includes("keyclave-pkcs11"))), 1)

    def test_sees_a_stray(self):
        self.assertEqual(list(self.house({"enclave/lost/a.cc": ""}).strays()), ["enclave/lost/a.cc"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
