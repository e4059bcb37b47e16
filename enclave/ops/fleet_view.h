// What operations know of the fleet that this daemon is a member of.
#pragma once

#include "enclave/wire/messages.h"

namespace keyclave::ops {

class FleetView {
 public:
  virtual ~FleetView() = default;
  // Cut off for longer than the configuration allows: a revocation may have been missed.
  virtual bool IsStale() const = 0;
  virtual wire::FleetStatus Status() const = 0;
};

}  // namespace keyclave::ops
