// What operations know of the fleet that this daemon is a member of.
#pragma once

#include "enclave/wire/messages.h"

namespace keyclave::ops {

class FleetView {
 public:
  virtual ~FleetView() = default;
  // kFleetStale: cut off for longer than the configuration allows; a revocation may have been
  // missed. kFleetRemoved: the others have gone on without this member.
  virtual keyclave::Status MayServe() const = 0;
  virtual wire::FleetStatus Status() const = 0;
};

}  // namespace keyclave::ops
