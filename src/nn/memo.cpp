#include "nn/memo.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/ops.h"

namespace mezzo {
namespace {

constexpr double kMargin = 1.5;  // so that what is measured afterwards is seldom above the bound

struct Squares {
  double change = 0, size = 0;
};

/// Adds those of n values: blocks in float32, which the compiler can vectorise, and these in
/// float64.
void add_squares(const float* from, const float* to, std::int64_t n, Squares& sum) {
  constexpr std::int64_t kBlock = 1 << 10, kLanes = 16;
  for (std::int64_t begin = 0; begin < n; begin += kBlock) {
    const std::int64_t end = std::min(begin + kBlock, n);
    float changes[kLanes] = {}, sizes[kLanes] = {};
    for (std::int64_t i = begin; i < end; i += kLanes)
      for (std::int64_t j = 0; j < std::min(kLanes, end - i); ++j) {
        const float d = to[i + j] - from[i + j];
        changes[j] += d * d;
        sizes[j] += to[i + j] * to[i + j];
      }
    for (std::int64_t j = 0; j < kLanes; ++j) sum.change += changes[j], sum.size += sizes[j];
  }
}

/// |b - a| / |b| of [B, L, ...]; 0 where there is nothing, infinite where that is no number.
double relative_change(const Tensor& a, const Tensor& b) {
  Backend& backend = ops::backend_of(b);
  Squares sum;
  for (std::int64_t i = 0; i < b.dim(1); ++i) {  // no copy of the whole
    const Tensor from = backend.download(a.slice(1, i, i + 1)),
                 to = backend.download(b.slice(1, i, i + 1));
    add_squares(from.data<float>(), to.data<float>(), to.numel(), sum);
  }
  if (sum.size == 0) return 0;
  const double change = std::sqrt(sum.change / sum.size);
  return std::isfinite(change) ? change : std::numeric_limits<double>::infinity();
}

}  // namespace

// Ratios change quickly at first: two of them must be known, and the larger counts.
double DeepFeatures::expected(double change) const {
  if (ratio_ <= 0 || ratio_before_ <= 0) return std::numeric_limits<double>::infinity();
  return std::max(ratio_, ratio_before_) * change;
}

Tensor DeepFeatures::operator()(const Tensor& shallow, const std::function<Tensor()>& compute) {
  if (!on()) return compute();
  const bool compares = shallow_ && ops::backend_of(shallow).has_data();
  const double change = compares ? relative_change(shallow_, shallow) : 0;
  if (compares && kMargin * expected(change) <= max_drift_) {
    change_used_ = change;
    ++reused_;
    return deep_;
  }
  const Tensor computed = compute();
  if (compares) {
    ratio_before_ = ratio_;
    ratio_ = change > 0 ? relative_change(deep_, computed) / change : 0;
    drift_ = std::max(drift_, ratio_ * change_used_);
  }
  change_used_ = 0;
  shallow_ = shallow;
  deep_ = computed;
  return computed;
}

double DeepFeatures::drift() const {
  return change_used_ > 0 ? std::max(drift_, expected(change_used_)) : drift_;
}

void DeepFeatures::forget() {
  drift_ = drift();
  shallow_ = deep_ = {};
  ratio_ = ratio_before_ = change_used_ = 0;
}

void Memo::expect(const std::vector<double>& times) {
  expected_.clear();
  for (double t : times)
    if (std::ranges::find(expected_, t) == expected_.end()) expected_.push_back(t);
  steps_ = {};
}

Memo::Steps* Memo::steps_of(double t, std::int64_t most) {
  if (std::ranges::find(steps_.times, t) != steps_.times.end()) return &steps_;
  const auto first = std::ranges::find(expected_, t);
  if (first == expected_.end()) return nullptr;
  const auto count = std::min<std::ptrdiff_t>(most, expected_.end() - first);
  steps_ = {};  // its memory first
  steps_.times.assign(first, first + count);
  return &steps_;
}

}  // namespace mezzo
