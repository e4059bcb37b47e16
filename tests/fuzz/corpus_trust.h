// What signed the seeds of corpus/evidence that are quotes of TPMs and tokens, so that changes of
// them get as far as their signatures. Nobody has kept the private keys.
#pragma once

#include "attest/evidence.h"

namespace keyclave::test {

inline constexpr std::string_view kCorpusTpmRoot = R"(-----BEGIN CERTIFICATE-----
MIIBYjCCAQigAwIBAgIBATAKBggqhkjOPQQDAjAnMQ0wCwYDVQQKEwRUZXN0MRYw
FAYDVQQDEw1UZXN0IFRQTSBSb290MCAXDTIwMDEwMTAwMDAwMFoYDzIwNTAwMTAx
MDAwMDAwWjAnMQ0wCwYDVQQKEwRUZXN0MRYwFAYDVQQDEw1UZXN0IFRQTSBSb290
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEBq86gwlSQaGz4M/UT1zcZZUYeNcc
Izynt7y3Cb/RjvgKDdpgjeAQolWKhvJoT1w7b3g5cLA6ZFKOeYIVU6XbQ6MjMCEw
DwYDVR0TAQH/BAUwAwEB/zAOBgNVHQ8BAf8EBAMCAQYwCgYIKoZIzj0EAwIDSAAw
RQIgaDaifX1RKgMaBg72rczb/5KDLQPrNAPjhdoeqVcjxwwCIQCD537o+vAR+yXo
cY7s3c3fl8JJKZ49Om7Se03ZNRw2RQ==
-----END CERTIFICATE-----
)";

inline constexpr std::string_view kCorpusTpmKeys[] = {
    "3076301006072a8648ce3d020106052b8104002203620004fbc682f20c14d175acc20ede6472eb8b88294ea3"
    "e99e70c0c33ed6d4025797d0b197a119c32083ce261879c415548e620725c2321e70f9666c8fe93381961f02"
    "ed86a4e4466aa4a0468911b9210eb44c39a1b2323d990233d4c68bd889628ca3",
    "30820122300d06092a864886f70d01010105000382010f003082010a0282010100bdcd101f13279d3b1cdabb"
    "0e53e67e7dcee8c686443400a48274ef48af7020883bf787d7f1767208999e37814e475a5f43cb73eab23b00"
    "e5a0968665ff41491e093aba3cf56f1a2439ed73f1054f343f0b9e80b697214c18a644d574e4d56961ceed92"
    "58dbae07c70b68b2eeb4d14e5588551837dd27114665dcc35183a0484afa791a3690b1a5844e83e1c9ba0007"
    "197b7249f7891dea6c2f5c8ae859090181c8d5f03ce7b890663aaa6385c03431435bfe3a84e5cc2c840ace00"
    "373f6fd79e2b62ded88f716ae6e8ac326d01a974cf9128ecd23c90170fdaf7e21873e3613afb29495a86d2ed"
    "1d797c1b718f5eef4f1f5a3e70e1f35bf81af995da722c37710203010001",
};

inline constexpr std::string_view kCorpusTokenKeys = R"({"keys": [
  {"kty": "EC", "crv": "P-256", "kid": "62dd74001b2428df",
   "x": "jyDzJbKUzIsSM9h5tfUuiF-XSku3Jeo84GFN-fOWqy4",
   "y": "8Nwg4srl04WlIQOD5eowbBq5sXtwwE_OzUWns4ZMg4k"},
  {"kty": "EC", "crv": "P-256", "kid": "ba54e0de36ca4392",
   "x": "T_Pi9m_NoVzs3R-bX2Wyv806O5GpYGQelnP9gOHOAxk",
   "y": "OasiZsl2Fdw4-nSR7I0ZCiUKtXY025tiz3U6Ej_nzwE"},
  {"kty": "EC", "crv": "P-256", "kid": "459bfa2ea8ee5b8b",
   "x": "4QunAkYJocx7DDvczc6tJQl9QFvX0MCvBHL5GTe8KBk",
   "y": "idR_oPPE-s4m8FYImI2xwnSM4huc4SUSKjoSLOrJRFM"},
  {"kty": "EC", "crv": "P-256", "kid": "e5518dbc82e38ed5",
   "x": "Sniq78nR094ZEaSv9zzyKEZ2677nACThdeCZD4PCEWY",
   "y": "BsRQIEh3EkSKcqF5CvB8QMd-zUy7lmXY4N_ll9T7C5A"}
]})";

inline constexpr std::string_view kCorpusTokenRoot = R"(-----BEGIN CERTIFICATE-----
MIIBazCCARCgAwIBAgIBFDAKBggqhkjOPQQDAjArMQ0wCwYDVQQKEwRUZXN0MRow
GAYDVQQDExFUZXN0IFNlcnZpY2UgUm9vdDAgFw0yMDAxMDEwMDAwMDBaGA8yMDUw
MDEwMTAwMDAwMFowKzENMAsGA1UEChMEVGVzdDEaMBgGA1UEAxMRVGVzdCBTZXJ2
aWNlIFJvb3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASkcS/tVN/D04yexHIe
8inC8uquO8NuOikRB5QmQvpB9GHD21jjyikRfyLfizBgDrzX/BKgteopTiMHnvuf
fhqNoyMwITAPBgNVHRMBAf8EBTADAQH/MA4GA1UdDwEB/wQEAwIBBjAKBggqhkjO
PQQDAgNJADBGAiEA263ms+c8iNcXQu+WYAtxMcDG5yvLonJhZW/MfY2b2twCIQDN
UJ+m/KSRvqFDqn6Ew4AGZbfFHAalgxT7rG+q5wsZfQ==
-----END CERTIFICATE-----
)";

inline void AddCorpusTrust(attest::Trust& trust) {
  trust.roots["tpm"] = attest::Certificate::ListFrom(AsBytes(kCorpusTpmRoot)).value();
  for (const std::string_view key : kCorpusTpmKeys)
    trust.keys["tpm"].push_back(FromHex(key).value());
  attest::TokenIssuer by_keys{
      .issuer = "https://attestation.test", .audience = {}, .keys = {}, .roots = {}};
  by_keys.keys = ToBytes(kCorpusTokenKeys);
  attest::TokenIssuer by_root{
      .issuer = "https://pki.test", .audience = {}, .keys = {}, .roots = {}};
  by_root.roots = attest::Certificate::ListFrom(AsBytes(kCorpusTokenRoot)).value();
  trust.token_issuers = {std::move(by_keys), std::move(by_root)};
}

}  // namespace keyclave::test
