#include "reference.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include <gtest/gtest.h>
#include <hwy/targets.h>

namespace mezzo::test {
namespace {

double at(const Tensor& x, std::int64_t i) {  // element number i in the order of the shape
  std::int64_t offset = 0;
  for (int d = x.rank() - 1; d >= 0; --d) {
    offset += i % x.dim(d) * x.stride(d);
    i /= x.dim(d);
  }
  return x.data<float>()[offset];
}

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

}  // namespace

Tensor random_tensor(const Shape& shape, unsigned seed, float spread) {
  Tensor t(host(), DType::kF32, shape);
  std::mt19937 random(seed);
  for (std::int64_t i = 0; i < t.numel(); ++i)
    t.data<float>()[i] = spread * (static_cast<float>(random() >> 8) * 0x1p-23f - 1.0f);
  return t;
}

Values values(const Tensor& x) {
  Values v(index(x.numel()));
  for (std::int64_t i = 0; i < x.numel(); ++i) v[index(i)] = at(x, i);
  return v;
}

double absolute_error(const Tensor& actual, const Values& expected) {
  const Values a = values(actual);
  if (a.size() != expected.size()) return INFINITY;
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double e = std::abs(a[i] - expected[i]);
    if (!(e <= worst)) worst = std::isnan(e) ? INFINITY : e;
  }
  return worst;
}

double relative_error(const Tensor& actual, const Values& expected) {
  double largest = 1e-30;
  for (double v : expected) largest = std::max(largest, std::abs(v));
  return absolute_error(actual, expected) / largest;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.bytes() == b.bytes() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

Shape conv_shape(const Tensor& x, const Conv2dConfig& c) {
  return {x.dim(0), (x.dim(1) + c.pad_top + c.pad_bottom - c.kernel) / c.stride + 1,
          (x.dim(2) + c.pad_left + c.pad_right - c.kernel) / c.stride + 1, c.out};
}

Values conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv2dConfig& c,
              const Shape& out) {
  Values y;
  const Values in = values(x), w = values(weight);
  for (std::int64_t b = 0; b < out[0]; ++b)
    for (std::int64_t i = 0; i < out[1]; ++i)
      for (std::int64_t j = 0; j < out[2]; ++j)
        for (std::int64_t o = 0; o < c.out; ++o) {
          double sum = bias.defined() ? at(bias, o) : 0;
          for (int ki = 0; ki < c.kernel; ++ki)
            for (int kj = 0; kj < c.kernel; ++kj) {
              const std::int64_t row = i * c.stride + ki - c.pad_top,
                                 column = j * c.stride + kj - c.pad_left;
              if (row < 0 || row >= x.dim(1) || column < 0 || column >= x.dim(2)) continue;
              for (std::int64_t n = 0; n < c.in; ++n)
                sum += in[index(((b * x.dim(1) + row) * x.dim(2) + column) * c.in + n)] *
                       w[index(((o * c.in + n) * c.kernel + ki) * c.kernel + kj)];
            }
          y.push_back(sum);
        }
  return y;
}

void finish(Values& y, const Epilogue& e, std::int64_t image, std::int64_t channels) {
  for (std::size_t i = 0; i < y.size(); ++i) {
    const auto n = static_cast<std::int64_t>(i);
    if (e.channel_add.defined()) y[i] += at(e.channel_add, n / image * channels + n % channels);
    y[i] = activation(y[i], e.activation);
    if (e.gate.defined()) y[i] *= values(e.gate)[index(n / image * channels + n % channels)];
    if (e.add.defined()) y[i] += at(e.add, n);
  }
}

Values linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  Values y;
  const Values in = values(x), w = values(weight);
  const std::int64_t width = weight.dim(1), outputs = weight.dim(0);
  for (std::int64_t row = 0; row < x.numel() / width; ++row)
    for (std::int64_t o = 0; o < outputs; ++o) {
      double sum = bias.defined() ? at(bias, o) : 0;
      for (std::int64_t i = 0; i < width; ++i)
        sum += in[index(row * width + i)] * w[index(o * width + i)];
      y.push_back(sum);
    }
  return y;
}

Values attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionConfig& c) {
  const std::int64_t lq = q.dim(1), lk = k.dim(1), width = q.dim(2), d = width / c.heads;
  const Values qv = values(q), kv = values(k), vv = values(v);
  Values y(qv.size());
  for (std::int64_t b = 0; b < q.dim(0); ++b)
    for (std::int64_t h = 0; h < c.heads; ++h)
      for (std::int64_t i = 0; i < lq; ++i) {
        const std::int64_t keys = c.causal ? std::min(lk, i + 1) : lk;
        Values s(index(keys));
        double max = -INFINITY, sum = 0;
        for (std::int64_t j = 0; j < keys; ++j) {
          double dot = 0;
          for (std::int64_t n = 0; n < d; ++n)
            dot += qv[index((b * lq + i) * width + h * d + n)] *
                   kv[index((b * lk + j) * width + h * d + n)];
          dot *= static_cast<double>(c.scale);
          if (c.bias.defined()) dot += at(c.bias, ((c.bias.dim(0) > 1 ? h : 0) * lq + i) * lk + j);
          s[index(j)] = dot;
          max = std::max(max, dot);
        }
        for (double& e : s) sum += e = std::exp(e - max);
        for (std::int64_t n = 0; n < d; ++n) {
          double total = 0;
          for (std::int64_t j = 0; j < keys; ++j)
            total += s[index(j)] * vv[index((b * lk + j) * width + h * d + n)];
          y[index((b * lq + i) * width + h * d + n)] = total / sum;
        }
      }
  return y;
}

Values group_norm(const Tensor& x, const Tensor& weight, const Tensor& bias,
                  const GroupNormConfig& c) {
  Values y = values(x);
  const std::int64_t channels = x.dim(-1), image = x.numel() / x.dim(0),
                     width = channels / c.groups;
  for (std::int64_t b = 0; b < x.dim(0); ++b)
    for (std::int64_t g = 0; g < c.groups; ++g) {
      double sum = 0, squares = 0, n = 0;
      const auto each = [&](auto&& body) {
        for (std::int64_t i = 0; i < image; ++i)
          if (i % channels / width == g) body(y[index(b * image + i)], i % channels);
      };
      each([&](double& v, std::int64_t) { sum += v, ++n; });
      each([&](double& v, std::int64_t) { squares += (v - sum / n) * (v - sum / n); });
      const double r = 1 / std::sqrt(squares / n + static_cast<double>(c.eps));
      each([&](double& v, std::int64_t channel) {
        v = activation((v - sum / n) * r * (weight.defined() ? at(weight, channel) : 1) +
                           (bias.defined() ? at(bias, channel) : 0),
                       c.activation);
      });
    }
  return y;
}

Values modulated_layer_norm(const Tensor& x, const Tensor& scale, const Tensor& shift, double eps) {
  Values y = layer_norm(x, {}, {}, eps);
  const Values factors = values(scale), offsets = values(shift);
  const std::size_t n = index(x.dim(-1)), image = y.size() / index(x.dim(0));
  for (std::size_t i = 0; i < y.size(); ++i) {
    const std::size_t at = i / image * n + i % n;
    y[i] = y[i] * (1 + factors[at]) + offsets[at];
  }
  return y;
}

Values layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
  Values y = values(x);
  const std::size_t n = index(x.dim(-1));
  for (std::size_t row = 0; row < y.size(); row += n) {
    double mean = 0, squares = 0;
    for (std::size_t i = 0; i < n; ++i) mean += y[row + i] / static_cast<double>(n);
    for (std::size_t i = 0; i < n; ++i) squares += (y[row + i] - mean) * (y[row + i] - mean);
    const double r = 1 / std::sqrt(squares / static_cast<double>(n) + eps);
    for (std::size_t i = 0; i < n; ++i) {
      const auto c = static_cast<std::int64_t>(i);
      y[row + i] = (y[row + i] - mean) * r * (weight.defined() ? at(weight, c) : 1) +
                   (bias.defined() ? at(bias, c) : 0);
    }
  }
  return y;
}

Values rms_norm(const Tensor& x, const Tensor& weight, double eps) {
  Values y = values(x);
  const std::size_t n = index(x.dim(-1));
  for (std::size_t row = 0; row < y.size(); row += n) {
    double squares = 0;
    for (std::size_t i = 0; i < n; ++i) squares += y[row + i] * y[row + i];
    const double r = 1 / std::sqrt(squares / static_cast<double>(n) + eps);
    for (std::size_t i = 0; i < n; ++i)
      y[row + i] *= r * (weight.defined() ? at(weight, static_cast<std::int64_t>(i)) : 1);
  }
  return y;
}

double activation(double x, Activation a) {
  switch (a) {
    case Activation::kNone:
      return x;
    case Activation::kSilu:
      return x / (1 + std::exp(-x));
    case Activation::kGelu:
      return x / 2 * std::erfc(-x / std::sqrt(2.0));
    case Activation::kGeluTanh:
      return x / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case Activation::kQuickGelu:
      return x / (1 + std::exp(-1.702 * x));
    case Activation::kTanh:
      return std::tanh(x);
    case Activation::kExp:
      return std::exp(x);
    case Activation::kRelu:
      return std::max(x, 0.0);
  }
  return NAN;
}

void for_each_target(const std::function<void(const std::string&)>& body) {
  hwy::SetSupportedTargetsForTest(0);
  const std::int64_t all = hwy::SupportedTargets();
  for (std::int64_t rest = all & (HWY_SSE4 | HWY_AVX2 | HWY_AVX3 | HWY_NEON); rest != 0;
       rest &= rest - 1) {
    const std::int64_t target = rest & -rest;
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(target);
    SCOPED_TRACE(hwy::TargetName(target));
    body(hwy::TargetName(target));
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(all);
}

}  // namespace mezzo::test
