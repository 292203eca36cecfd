// Operations that move values: copy between views, upsampling.
#include <algorithm>
#include <cstring>
#include <vector>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/kernels/kernels.h"

namespace mezzo {
namespace {

constexpr std::int64_t kBlock = 1 << 14;  // values

struct Dim {
  std::int64_t size, from, to;  // strides
};

// Dimensions that two views share, outermost first: of size > 1, ordered by the stride of the
// target, and joined where both views step evenly through two of them.
std::vector<Dim> simplify(const Tensor& x, const Tensor& out) {
  std::vector<Dim> dims;
  for (int i = 0; i < x.rank(); ++i)
    if (x.dim(i) != 1) dims.push_back({x.dim(i), x.stride(i), out.stride(i)});
  std::ranges::stable_sort(dims, [](const Dim& a, const Dim& b) { return a.to > b.to; });
  std::vector<Dim> joined;
  for (const Dim& d : dims) {
    if (!joined.empty() && joined.back().from == d.size * d.from &&
        joined.back().to == d.size * d.to)
      joined.back() = {joined.back().size * d.size, d.from, d.to};
    else
      joined.push_back(d);
  }
  return joined;
}

struct Offsets {
  std::int64_t from = 0, to = 0;
};

// Where element number i of the given dimensions lies.
Offsets offsets(const std::vector<Dim>& dims, std::int64_t i) {
  Offsets o;
  for (auto d = dims.rbegin(); d != dims.rend(); ++d) {
    o.from += i % d->size * d->from;
    o.to += i % d->size * d->to;
    i /= d->size;
  }
  return o;
}

std::int64_t count(const std::vector<Dim>& dims) {
  std::int64_t n = 1;
  for (const Dim& d : dims) n *= d.size;
  return n;
}

void copy_rows(int threads, const float* x, float* out, const std::vector<Dim>& outer,
               const Dim& row) {
  parallel_blocks(threads, count(outer), std::max<std::int64_t>(1, kBlock / row.size),
                  [&](std::int64_t i, std::int64_t end) {
                    for (; i < end; ++i) {
                      const auto [from, to] = offsets(outer, i);
                      if (row.from == 1 && row.to == 1)
                        std::memcpy(out + to, x + from,
                                    static_cast<std::size_t>(row.size) * sizeof(float));
                      else
                        for (std::int64_t j = 0; j < row.size; ++j)
                          out[to + j * row.to] = x[from + j * row.from];
                    }
                  });
}

// `fast`: the dimension in which x is contiguous; `row`: the one in which out is.
void copy_transposed(int threads, const float* x, float* out, const std::vector<Dim>& outer,
                     const Dim& fast, const Dim& row) {
  const std::int64_t rows = std::max<std::int64_t>(16, kBlock / fast.size / 16 * 16),
                     parts = ceil_div(row.size, rows);
  parallel_for(threads, count(outer) * parts, [&](std::int64_t i, int) {
    const auto [from, to] = offsets(outer, i / parts);
    const std::int64_t begin = i % parts * rows, end = std::min(begin + rows, row.size);
    kernels::transpose(x + from + begin * row.from, row.from, end - begin, fast.size,
                       out + to + begin, fast.to);
  });
}

}  // namespace

void copy_values(const Tensor& x, Tensor& out, int threads) {
  check(x.shape() == out.shape(), "copy() keeps the shape");
  if (x.numel() == 0) return;
  std::vector<Dim> dims = simplify(x, out);
  if (dims.empty()) dims.push_back({1, 1, 1});
  const Dim row = dims.back();
  dims.pop_back();
  const auto fast = std::ranges::find_if(dims, [](const Dim& d) { return d.from == 1; });
  if (row.to == 1 && row.from != 1 && fast != dims.end()) {
    const Dim columns = *fast;
    dims.erase(fast);
    copy_transposed(threads, x.data<float>(), out.data<float>(), dims, columns, row);
  } else {
    copy_rows(threads, x.data<float>(), out.data<float>(), dims, row);
  }
}

void CpuBackend::copy(const Tensor& x, Tensor& out) {
  const Op op(*this, [&] { return work::pointwise("copy", x, 0, 2); });
  if (has_data_) copy_values(x, out, threads_);
}

void CpuBackend::upsample_nearest(const Tensor& x, Tensor& out) {
  const Op op(*this, [&] { return work::pointwise("upsample", out, 0, 2); });
  check(x.contiguous() && out.contiguous(), "upsample_nearest() takes contiguous tensors");
  if (!has_data_ || out.numel() == 0) return;
  const std::int64_t h = x.dim(1), w = x.dim(2), c = x.dim(3), out_h = out.dim(1),
                     out_w = out.dim(2);
  parallel_for(threads_, out.dim(0) * out_h, [&](std::int64_t row, int) {
    const float* from = x.data<float>() + (row / out_h * h + row % out_h * h / out_h) * w * c;
    float* to = out.data<float>() + row * out_w * c;
    for (std::int64_t i = 0; i < out_w; ++i)
      std::memcpy(to + i * c, from + i * w / out_w * c,
                  static_cast<std::size_t>(c) * sizeof(float));
  });
}

}  // namespace mezzo
