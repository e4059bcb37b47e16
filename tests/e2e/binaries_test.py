#!/usr/bin/env python3
"""What is built is what strangers' processes may load: modules export their interface and nothing else, bring no second
libcrypto, start no thread and leave nothing to run at exit; everything is hardened."""

import re
import subprocess
import unittest

from lab import KEYCLAVE, KEYCLAVED, PKCS11_MODULE, PROVIDER, SOURCE_DIR, main, need
from processes import SANITIZE

KEYCLAVE_SDS = KEYCLAVE.with_name("keyclave-sds")
KEYCLAVE_KBS = KEYCLAVE.with_name("keyclave-kbs")
# What both modules may link, by the stem of the library's name.
ALLOWED = {"libgnutls", "libtasn1", "libcbor", "libp11-kit", "libyaml-cpp", "libstdc++", "libgcc_s", "libc", "libm",
           "ld-linux-x86-64", "ld-linux-aarch64"}
# The runtimes of a build with sanitizers.
RUNTIMES = {"libasan", "libubsan", "libtsan"}
# Functions that a module must not even import: threads, and code that would run at exit or unload.
FORBIDDEN = ("pthread_create", "thrd_create", "atexit", "__cxa_atexit", "__cxa_thread_atexit_impl", "on_exit", "pthread_atfork",
             "__register_atfork")


def tool(*command):
    return subprocess.run([need(command[0]), *map(str, command[1:])], capture_output=True, text=True, check=True,
                          stdin=subprocess.DEVNULL).stdout


def exported(path):
    return sorted(line.split()[-1].split("@")[0] for line in tool("nm", "-D", "--defined-only", path).splitlines())


def imported(path):
    return {line.split()[-1].split("@")[0] for line in tool("nm", "-D", "--undefined-only", path).splitlines()}


def needed(path):
    names = re.findall(r"\(NEEDED\)\s+Shared library: \[([^\]]+)\]", tool("readelf", "-d", path))
    return {name.split(".so")[0] for name in names} - RUNTIMES


class Binaries(unittest.TestCase):
    def test_the_pkcs11_module_exports_cryptoki_only(self):
        names = exported(PKCS11_MODULE)
        self.assertIn("C_GetFunctionList", names)
        self.assertEqual([name for name in names if not re.fullmatch(r"C_[A-Z]\w+", name)], [])

    def test_the_provider_exports_its_entry_only(self):
        self.assertEqual(exported(PROVIDER), ["OSSL_provider_init"])

    def test_modules_link_what_they_may(self):
        self.assertEqual(needed(PKCS11_MODULE) - ALLOWED, set())
        self.assertEqual(needed(PROVIDER) - ALLOWED, {"libcrypto"})

    def test_grpc_is_in_one_program_only(self):
        def of_grpc(path):
            return {name for name in needed(path) if name.startswith(("libgrpc", "libprotobuf", "libabsl"))}
        self.assertIn("libgrpc++", of_grpc(KEYCLAVE_SDS))
        for path in (PKCS11_MODULE, PROVIDER, KEYCLAVE, KEYCLAVED, KEYCLAVE_KBS):
            self.assertEqual(of_grpc(path), set(), path)

    def test_http_is_served_by_one_program_only(self):
        self.assertIn("libmicrohttpd", needed(KEYCLAVE_KBS))
        for path in (PKCS11_MODULE, PROVIDER, KEYCLAVE, KEYCLAVED, KEYCLAVE_SDS):
            self.assertNotIn("libmicrohttpd", needed(path), path)

    def test_modules_start_no_thread_and_leave_nothing_for_the_exit(self):
        for module in (PKCS11_MODULE, PROVIDER):
            self.assertEqual([name for name in FORBIDDEN if name in imported(module)], [], module)

    def test_nothing_is_bound_deeply(self):
        """RTLD_DEEPBIND gives a library another allocator than its program has."""
        sources = [path for folder in ("attest", "enclave", "ossl_provider", "pkcs11") for path in (SOURCE_DIR / folder).rglob("*.cc")]
        loading = [path for path in sources if "dlopen(" in path.read_text()]
        self.assertTrue(loading)
        self.assertEqual([path for path in loading if "DEEPBIND" in path.read_text()], [])

    def test_modules_are_never_unloaded(self):
        for module in (PKCS11_MODULE, PROVIDER):
            self.assertRegex(tool("readelf", "-d", module), r"FLAGS_1.*NODELETE")

    def test_everything_is_hardened(self):
        for path in (PKCS11_MODULE, PROVIDER, KEYCLAVE, KEYCLAVED, KEYCLAVE_SDS, KEYCLAVE_KBS):
            dynamic, segments = tool("readelf", "-d", path), tool("readelf", "-lW", path)
            self.assertRegex(dynamic, r"FLAGS_1.*NOW", path)
            self.assertNotIn("TEXTREL", dynamic, path)
            self.assertNotRegex(dynamic, "RPATH|RUNPATH", path)
            self.assertIn("GNU_RELRO", segments, path)
            self.assertRegex(segments, r"GNU_STACK.* RW ", path)
            self.assertNotRegex(segments, r"LOAD.* RWE ", path)
        for path in (KEYCLAVE, KEYCLAVED, KEYCLAVE_SDS, KEYCLAVE_KBS):
            self.assertRegex(tool("readelf", "-hW", path), r"Type:\s+DYN", path)

    def test_stacks_are_protected(self):
        if SANITIZE:
            return  # the sanitizers take their place
        for path in (PKCS11_MODULE, PROVIDER, KEYCLAVE, KEYCLAVED):
            self.assertIn("__stack_chk_fail", imported(path), path)


if __name__ == "__main__":
    main()
