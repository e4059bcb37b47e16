// FakeTee: a TEE of one type with a root of its own, which signs whatever a test wants signed.
// There is one for every row of the registry.
#pragma once

#include "attest/tee_type.h"

namespace keyclave::test {

class FakeTee {
 public:
  // A TEE of this type with a fresh root; nullptr if nobody has written one.
  static std::unique_ptr<FakeTee> Create(std::string_view type);
  virtual ~FakeTee() = default;

  virtual std::string_view type() const = 0;
  // Believes in this TEE's root, and accepts its type.
  virtual attest::Trust OwnTrust() const = 0;
  // Genuine evidence of the sample workload.
  virtual Bytes Evidence(const attest::ReportData& report_data, UnixTime issued,
                         bool debug) const = 0;
  // What the sample workload's measurement claim says.
  virtual std::string Measurement() const = 0;
  // The same in debug mode, where a type measures nothing then.
  virtual std::string MeasurementInDebug() const { return Measurement(); }
  // The first and the last second at which evidence issued then is valid.
  struct Window {
    UnixTime first;
    UnixTime last;
  };
  virtual Window ValidAt(UnixTime issued) const = 0;
  // Whether evidence has a time at all; what has none is as fresh as what it is bound to.
  virtual bool HasTime() const { return true; }
  // How many bytes of the report data the format carries.
  virtual size_t CarriedBytes() const { return std::tuple_size_v<attest::ReportData>; }
  // Bytes of this evidence that nothing covers, with the reason in the fake's file: changing them
  // may leave it accepted, but with the very same claims.
  virtual bool IsUncovered(ByteSpan /*evidence*/, size_t /*at*/) const { return false; }
  // Whether there is a debug mode that evidence tells; without one, `debug` is false of all
  // evidence.
  virtual bool HasDebugMode() const { return true; }
  // Whether the format allows bytes behind its end (buffers of fixed size).
  virtual bool AllowsTrailingBytes() const { return false; }
  // The claims without which a policy about this type could not be written.
  virtual std::vector<std::string> Claims() const {
    return {"tee", "measurement", "debug", "tcb_status"};
  }
};

}  // namespace keyclave::test
