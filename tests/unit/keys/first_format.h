// A store as it was written before there were generations of the root secret: rows and head of
// format 1, by the tables of docs/storage.md.
#pragma once

#include "enclave/base/byte_reader.h"
#include "enclave/keys/row_index.h"
#include "enclave/keys/seal.h"
#include "tests/unit/keys/fixture.h"

namespace keyclave::keys {

inline Bytes BoundTo(std::string_view label, const store::RowId& row, ByteSpan header) {
  ByteWriter out;
  out.PutPrefixed(AsBytes(label));
  out.PutPrefixed(row);
  out.PutPrefixed(header);
  return std::move(out).Finish();
}

inline Bytes SealFirstRow(const KeySchedule& keys, const store::RowId& row, const RowHeader& header,
                          ByteSpan body) {
  const Bytes plain = EncodeRowHeader(header);
  ByteWriter out;
  out.PutBe(uint8_t{1});
  out.Put(Must(Seal(keys.RowHeaderKey(row), BoundTo("keyclave/row-header/1", row, {}), plain)));
  out.Put(Must(Seal(KeySchedule::RecordKey(keys.TokenKey(header.key.token), row, header.version),
                    BoundTo("keyclave/row-body/1", row, plain), PadBody(body))));
  return std::move(out).Finish();
}

inline Bytes SealFirstHead(const KeySchedule& keys, const Head& head) {
  ByteWriter out;
  out.Put(AsBytes("KCHD"));
  out.PutBe(uint8_t{1});
  out.Put(keys.EnclaveId());
  out.PutBe(head.epoch);
  ByteWriter secret;
  secret.Put(head.digest);
  secret.PutBe(head.rows);
  out.Put(Must(Seal(keys.HeadKey(head.epoch), out.bytes(), secret.bytes())));
  return std::move(out).Finish();
}

struct FirstStore {
  std::vector<store::Change> rows;
  Bytes head;
};

// Of records 1 to `count` in their first version, and a tombstone, at this epoch.
inline FirstStore MakeFirstStore(const SecretBytes& secret, uint8_t count, uint64_t epoch) {
  const KeySchedule keys(secret);
  const KeyGenerations generations(secret);
  const RowSealer sealer(generations);
  RowIndex index(1);
  FirstStore made;
  for (uint8_t id = 1; id <= count + 1; ++id) {
    const bool removed = id == count + 1;
    const RowHeader header{TestKey(id), removed, removed ? 2U : 1U,
                           removed ? ByteArray<32>{} : Sha256(AsBytes("policy"))};
    const store::RowId row = sealer.IdOf(header.key);
    const std::string body = removed ? "" : "body " + std::to_string(id);
    Bytes sealed = SealFirstRow(keys, row, header, AsBytes(body));
    index.Load(EntryOf(row, header, Must(TagOf(sealed, 1))));
    made.rows.push_back({row, std::move(sealed)});
  }
  MustOk(index.FinishLoading());
  made.head = SealFirstHead(keys, {epoch, index.size(), index.digest()});
  return made;
}

}  // namespace keyclave::keys
