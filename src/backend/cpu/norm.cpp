#include <cmath>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/kernels/kernels.h"

namespace mezzo {
namespace {

constexpr std::int64_t kBlock = 1 << 14;  // values

const float* values_or_null(const Tensor& t) { return t.defined() ? t.data<float>() : nullptr; }

struct GroupNorm {
  const Tensor &x, &weight, &bias;
  const GroupNormConfig& config;
  std::int64_t images, pixels, channels;
  footprint::GroupNorm sizes;

  struct Piece {
    std::int64_t image, offset, rows;
  };
  Piece piece(std::int64_t i) const {
    const std::int64_t first = i % sizes.pieces * sizes.rows;
    return {i / sizes.pieces, (i / sizes.pieces * pixels + first) * channels,
            std::min(sizes.rows, pixels - first)};
  }
};

GroupNorm group_norm_of(const Tensor& x, const Tensor& weight, const Tensor& bias,
                        const GroupNormConfig& config) {
  check(x.contiguous(), "group_norm() takes contiguous tensors");
  check(x.dim(-1) % config.groups == 0, "group_norm() needs groups of equal size");
  const std::int64_t images = x.dim(0), channels = x.dim(-1),
                     pixels = x.numel() / images / channels;
  return {x,      weight, bias,     config,
          images, pixels, channels, footprint::group_norm(images, pixels, channels, config.groups)};
}

// Factor and offset of each channel of one image from the statistics of its pieces, added up in
// their order.
void affine(const GroupNorm& n, const double* partial, float* factor, float* offset) {
  const std::int64_t groups = n.config.groups, width = n.channels / groups;
  for (std::int64_t g = 0; g < groups; ++g) {
    double count = 0, mean = 0, squares = 0;
    for (std::int64_t piece = 0; piece < n.sizes.pieces; ++piece) {
      const double* p = partial + 2 * (piece * groups + g);
      const auto rows = std::min(n.sizes.rows, n.pixels - piece * n.sizes.rows);
      const auto added = static_cast<double>(rows * width);
      const double delta = p[0] - mean, total = count + added;
      mean += delta * added / total;
      squares += p[1] + delta * delta * count * added / total;
      count = total;
    }
    const double scale = 1 / std::sqrt(squares / count + static_cast<double>(n.config.eps));
    for (std::int64_t c = g * width; c < (g + 1) * width; ++c) {
      const double f =
          scale * (n.weight.defined() ? static_cast<double>(n.weight.data<float>()[c]) : 1);
      factor[c] = static_cast<float>(f);
      offset[c] = static_cast<float>(
          (n.bias.defined() ? static_cast<double>(n.bias.data<float>()[c]) : 0) - mean * f);
    }
  }
}

// [factors | offsets] of the channels of every image. `partial`: scratch for the statistics.
void find_factors(const GroupNorm& n, double* partial, float* factors, int threads) {
  const std::int64_t groups = n.config.groups, pieces = n.sizes.pieces;
  parallel_for(threads, n.images * pieces, [&](std::int64_t i, int) {
    const auto piece = n.piece(i);
    kernels::group_statistics(n.x.data<float>() + piece.offset, piece.rows, n.channels, groups,
                              partial + 2 * i * groups);
  });
  parallel_for(threads, n.images, [&](std::int64_t b, int) {
    float* f = factors + 2 * b * n.channels;
    affine(n, partial + 2 * b * pieces * groups, f, f + n.channels);
  });
}

void apply_factors(const GroupNorm& n, const float* factors, Tensor& out, int threads) {
  parallel_for(threads, n.images * n.sizes.pieces, [&](std::int64_t i, int) {
    const auto piece = n.piece(i);
    const float* f = factors + 2 * piece.image * n.channels;
    kernels::group_apply(n.x.data<float>() + piece.offset, piece.rows, n.channels, f,
                         f + n.channels, n.config.activation, out.data<float>() + piece.offset);
  });
}

}  // namespace

void CpuBackend::group_norm(const Tensor& x, const Tensor& weight, const Tensor& bias,
                            const GroupNormConfig& config, Tensor& out) {
  const Op op(*this, [&] { return work::pointwise("group_norm", x, 8, 3); });
  check(out.contiguous(), "group_norm() takes contiguous tensors");
  if (x.numel() == 0) return;
  const GroupNorm n = group_norm_of(x, weight, bias, config);
  const Tensor memory = scratch(n.sizes.total());
  if (!has_data_) return;
  auto* factors = reinterpret_cast<float*>(memory.data<std::byte>() + n.sizes.partial);
  find_factors(n, memory.data<double>(), factors, threads_);
  apply_factors(n, factors, out, threads_);
}

void CpuBackend::group_norm_factors(const Tensor& x, const Tensor& weight, const Tensor& bias,
                                    const GroupNormConfig& config, Tensor& out) {
  const Op op(*this, [&] { return work::pointwise("group_norm", x, 6, 1); });
  const GroupNorm n = group_norm_of(x, weight, bias, config);
  check(out.contiguous() && out.numel() == 2 * n.images * n.channels && x.numel() > 0,
        "group_norm_factors() gives a factor and an offset for each image and channel");
  const Tensor memory = scratch(n.sizes.partial);
  if (has_data_) find_factors(n, memory.data<double>(), out.data<float>(), threads_);
}

void CpuBackend::layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, float eps,
                            Tensor& out) {
  const Op op(*this, [&] { return work::pointwise("layer_norm", x, 7, 2); });
  check(x.contiguous() && out.contiguous(), "layer_norm() takes contiguous tensors");
  const std::int64_t n = x.dim(-1);
  if (!has_data_ || x.numel() == 0) return;
  parallel_blocks(threads_, x.numel() / n, std::max<std::int64_t>(1, kBlock / n),
                  [&](std::int64_t row, std::int64_t end) {
                    for (; row < end; ++row)
                      kernels::layer_norm(x.data<float>() + row * n, n, values_or_null(weight),
                                          values_or_null(bias), eps, out.data<float>() + row * n);
                  });
}

void CpuBackend::modulated_layer_norm(const Tensor& x, const Tensor& scale, const Tensor& shift,
                                      float eps, Tensor& out) {
  const Op op(*this, [&] { return work::pointwise("layer_norm", x, 9, 2); });
  check(x.contiguous() && out.contiguous(), "modulated_layer_norm() takes contiguous tensors");
  for (const Tensor* t : {&scale, &shift})
    check(t->rank() == 2 && t->dim(0) == x.dim(0) && t->dim(1) == x.dim(-1) && t->stride(1) == 1,
          "modulated_layer_norm() takes a scale and a shift for each image and channel");
  const std::int64_t n = x.dim(-1);
  if (!has_data_ || x.numel() == 0) return;
  const std::int64_t rows = x.numel() / n / x.dim(0);
  parallel_blocks(threads_, x.numel() / n, std::max<std::int64_t>(1, kBlock / n),
                  [&](std::int64_t row, std::int64_t end) {
                    for (; row < end; ++row) {
                      const std::int64_t image = row / rows;
                      kernels::modulated_layer_norm(x.data<float>() + row * n, n,
                                                    scale.data<float>() + image * scale.stride(0),
                                                    shift.data<float>() + image * shift.stride(0),
                                                    eps, out.data<float>() + row * n);
                    }
                  });
}

void CpuBackend::rms_norm(const Tensor& x, const Tensor& weight, float eps, Tensor& out) {
  const Op op(*this, [&] { return work::pointwise("rms_norm", x, 4, 2); });
  check(x.contiguous() && out.contiguous(), "rms_norm() takes contiguous tensors");
  const std::int64_t n = x.dim(-1);
  if (!has_data_ || x.numel() == 0) return;
  parallel_blocks(threads_, x.numel() / n, std::max<std::int64_t>(1, kBlock / n),
                  [&](std::int64_t row, std::int64_t end) {
                    for (; row < end; ++row)
                      kernels::rms_norm(x.data<float>() + row * n, n, values_or_null(weight), eps,
                                        out.data<float>() + row * n);
                  });
}

}  // namespace mezzo
