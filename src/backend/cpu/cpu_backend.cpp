#include "backend/cpu/cpu_backend.h"

#include <cstring>

#include "backend/cpu/isa.h"
#include "base/machine_memory.h"
#include "tensor/convert.h"

namespace mezzo {
namespace {

/// Memory of somebody else.
class Counted final : public Packed {
 public:
  Counted(std::size_t bytes, const ByteCount& count) : memory_(bytes, count, false) {}
  std::size_t bytes() const override { return memory_.bytes(); }

 private:
  WeightMemory memory_;
};

constexpr std::int64_t kConvertBlock = 1 << 14;
constexpr int kMaxThreads = 1024;
}  // namespace

CpuBackend::CpuBackend(const CpuOptions& options, bool has_data)
    : arena_(has_data, options.max_bytes),
      has_data_(has_data),
      threads_(options.threads > 0 ? std::min(options.threads, kMaxThreads) : default_threads()),
      winograd_(options.winograd) {
  apply_isa_limit();
}

void CpuBackend::trim() {
  arena_.trim();
  if (has_data_) return_freed_memory();
}

Tensor CpuBackend::scratch(std::size_t bytes) {
  return Tensor(*this, DType::kU8, {static_cast<std::int64_t>(bytes)});
}

PackedPtr CpuBackend::count_weight(std::size_t bytes) {
  PackedPtr counted = std::make_shared<Counted>(bytes, weight_bytes_);
  note_peak(0);
  return counted;
}

Tensor CpuBackend::upload(const Tensor& values) {
  Tensor out(*this, DType::kF32, values.shape());
  if (!has_data_) return out;
  check(values.contiguous(), "upload() takes contiguous values");
  const DTypeInfo& type = info(values.dtype());
  const std::int64_t block = round_up<std::int64_t>(kConvertBlock, type.block);
  parallel_blocks(threads_, values.numel(), block, [&](std::int64_t begin, std::int64_t end) {
    to_float(type.dtype, values.data<std::byte>() + begin / type.block * type.bytes, end - begin,
             out.data<float>() + begin);
  });
  return out;
}

Tensor CpuBackend::download(const Tensor& x) {
  check(x.dtype() == DType::kF32, "download() takes float32 values");
  Tensor out(host(), DType::kF32, x.shape());
  if (!has_data_) {
    std::memset(out.raw(), 0, out.bytes());
    return out;
  }
  copy_values(x, out, threads_);
  return out;
}

std::unique_ptr<Backend> make_cpu_backend(const CpuOptions& options) {
  return std::make_unique<CpuBackend>(options);
}

}  // namespace mezzo
