// The CPU backend without data: every operation takes the memory it would take and writes its
// expected time to the log.
#include "backend/cpu/cpu_backend.h"
#include "backend/meta/rates.h"

namespace mezzo {
namespace {

class MetaBackend final : public CpuBackend {
 public:
  explicit MetaBackend(const CpuOptions& options) : CpuBackend(options, false) {}
};

}  // namespace

double CpuBackend::predicted(const OpRecorder& op) const {
  return predicted_seconds(op.record(), op.work(), threads_);
}

std::unique_ptr<Backend> make_meta_backend(const CpuOptions& options) {
  return std::make_unique<MetaBackend>(options);
}

}  // namespace mezzo
