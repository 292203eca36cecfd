#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/kernels/kernels.h"

namespace mezzo {
namespace {

constexpr std::int64_t kBlock = 1 << 14;  // values

using Binary = void (*)(const float*, const float*, std::int64_t, float*);

// f(a, b) where b repeats over the leading dimensions of a.
void repeat(int threads, const Tensor& a, const Tensor& b, Tensor& out, Binary f) {
  const std::int64_t n = a.numel(), width = b.numel();
  if (n == 0) return;
  const float *x = a.data<float>(), *y = b.data<float>();
  float* z = out.data<float>();
  if (width == n) {
    parallel_blocks(threads, n, kBlock,
                    [&](std::int64_t i, std::int64_t end) { f(x + i, y + i, end - i, z + i); });
    return;
  }
  parallel_blocks(threads, n / width, std::max<std::int64_t>(1, kBlock / width),
                  [&](std::int64_t row, std::int64_t end) {
                    for (; row < end; ++row) f(x + row * width, y, width, z + row * width);
                  });
}

void check_binary(const Tensor& a, const Tensor& b, const Tensor& out) {
  check(a.contiguous() && b.contiguous() && out.contiguous(),
        "add() and multiply() take contiguous tensors");
  check(
      out.numel() == a.numel() && (a.numel() == 0 || (b.numel() > 0 && a.numel() % b.numel() == 0)),
      "add() and multiply() repeat the second operand over the first");
}

}  // namespace

void CpuBackend::activate(const Tensor& x, Activation activation, Tensor& out) {
  const Op op(*this, [&] { return work::pointwise("activation", x, 15, 2); });
  check(x.contiguous() && out.contiguous() && x.numel() == out.numel(),
        "activate() takes contiguous tensors");
  if (!has_data_) return;
  parallel_blocks(threads_, x.numel(), kBlock, [&](std::int64_t i, std::int64_t end) {
    kernels::activate(x.data<float>() + i, end - i, activation, out.data<float>() + i);
  });
}

void CpuBackend::add(const Tensor& a, const Tensor& b, Tensor& out) {
  const Op op(*this, [&] { return work::pointwise("add", a, 1, 3); });
  check_binary(a, b, out);
  if (has_data_) repeat(threads_, a, b, out, kernels::add);
}

void CpuBackend::multiply(const Tensor& a, const Tensor& b, Tensor& out) {
  const Op op(*this, [&] { return work::pointwise("multiply", a, 1, 3); });
  check_binary(a, b, out);
  if (has_data_) repeat(threads_, a, b, out, kernels::multiply);
}

void CpuBackend::scale(const Tensor& x, float factor, float offset, Tensor& out) {
  const Op op(*this, [&] { return work::pointwise("scale", x, 2, 2); });
  check(x.contiguous() && out.contiguous() && x.numel() == out.numel(),
        "scale() takes contiguous tensors");
  if (!has_data_) return;
  parallel_blocks(threads_, x.numel(), kBlock, [&](std::int64_t i, std::int64_t end) {
    kernels::scale(x.data<float>() + i, end - i, factor, offset, out.data<float>() + i);
  });
}

void CpuBackend::clamp(const Tensor& x, float low, float high, Tensor& out) {
  const Op op(*this, [&] { return work::pointwise("clamp", x, 2, 2); });
  check(x.contiguous() && out.contiguous() && x.numel() == out.numel(),
        "clamp() takes contiguous tensors");
  if (!has_data_) return;
  parallel_blocks(threads_, x.numel(), kBlock, [&](std::int64_t i, std::int64_t end) {
    kernels::clamp(x.data<float>() + i, end - i, low, high, out.data<float>() + i);
  });
}

void CpuBackend::geglu(const Tensor& x, Tensor& out) {
  const Op op(*this, [&] { return work::pointwise("geglu", x, 15, 2); });
  check(out.contiguous() && x.stride(-1) == 1 && x.contiguous(),
        "geglu() takes contiguous tensors");
  const std::int64_t width = out.dim(-1);
  check(x.dim(-1) == 2 * width && x.numel() == 2 * out.numel(),
        "geglu() halves the last dimension");
  if (!has_data_ || out.numel() == 0) return;
  parallel_blocks(threads_, out.numel() / width, std::max<std::int64_t>(1, kBlock / width),
                  [&](std::int64_t row, std::int64_t end) {
                    for (; row < end; ++row) {
                      const float* value = x.data<float>() + 2 * row * width;
                      kernels::geglu(value, value + width, width, out.data<float>() + row * width);
                    }
                  });
}

}  // namespace mezzo
