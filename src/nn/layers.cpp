#include "nn/layers.h"

#include <cmath>
#include <numeric>

#include "tensor/convert.h"

namespace mezzo::nn {
namespace {

constexpr std::int64_t kSmallTable = 1 << 18;  // values: held even where weights are streamed

Tensor bias_of(const Weights& w, bool bias, std::int64_t out) {
  return bias ? w.get("bias", {out}) : Tensor();
}

}  // namespace

HeldWeight::HeldWeight(const Weights& w, const Shapes& shapes, Pack pack) : pack_(std::move(pack)) {
  if (w.holds("weight", shapes.weight)) {
    held_ = pack_();
    pack_ = {};
    return;
  }
  w.lazy("weight", shapes.weight);
  if (shapes.bias) w.lazy("bias", {shapes.out});
}

Linear::Linear(const Weights& w, const Config& c)
    : out_(c.out), weight_(w, {{c.out, c.in}, c.out, c.bias}, [w, c] {
        return w.backend().pack_linear(w.get("weight", {c.out, c.in}), bias_of(w, c.bias, c.out),
                                       w.precision());
      }) {}

Tensor Linear::operator()(const Tensor& x, const Epilogue& epilogue) const {
  return ops::linear(x, *weight_(), out_, epilogue);
}

Conv2d::Conv2d(const Weights& w, const Config& c)
    : config_{.in = c.in,
              .out = c.out,
              .kernel = c.kernel,
              .stride = c.stride,
              .pad_top = c.pad_end_only ? 0 : c.padding,
              .pad_left = c.pad_end_only ? 0 : c.padding,
              .pad_bottom = c.padding,
              .pad_right = c.padding},
      weight_(w, {{c.out, c.in, c.kernel, c.kernel}, c.out, c.bias}, [w, c, config = config_] {
        return w.backend().pack_conv2d(w.get("weight", {c.out, c.in, c.kernel, c.kernel}),
                                       bias_of(w, c.bias, c.out), config, w.precision());
      }) {}

Tensor Conv2d::operator()(const ConvInput& x, const Epilogue& epilogue) const {
  return ops::conv2d(x, *weight_(), config_, epilogue);
}

GroupNorm::GroupNorm(const Weights& w, const Config& c)
    : config_{.groups = c.groups, .eps = c.eps, .activation = c.activation},
      weight_(w.backend().upload(w.get("weight", {c.channels}))),
      bias_(w.backend().upload(w.get("bias", {c.channels}))) {}

Tensor GroupNorm::operator()(const Tensor& x) const {
  return ops::group_norm(x, weight_, bias_, config_);
}

ConvInput GroupNorm::before_conv(const Tensor& x) const {
  return ops::normalized(x, weight_, bias_, config_);
}

LayerNorm::LayerNorm(const Weights& w, const Config& c)
    : eps_(c.eps),
      weight_(w.backend().upload(w.get("weight", {c.width}))),
      bias_(w.backend().upload(w.get("bias", {c.width}))) {}

Tensor LayerNorm::operator()(const Tensor& x) const {
  return ops::layer_norm(x, weight_, bias_, eps_);
}

RmsNorm::RmsNorm(const Weights& w, const Config& c)
    : eps_(c.eps), weight_(w.backend().upload(w.get("weight", {c.width}))) {}

Tensor RmsNorm::operator()(const Tensor& x) const { return ops::rms_norm(x, weight_, eps_); }

Tensor RmsNorm::by_head(const Tensor& x) const {
  const auto width = weight_.dim(0);
  return (*this)(x.view({x.dim(0), x.dim(1), x.dim(2) / width, width})).view(x.shape());
}

Embedding::Embedding(const Weights& w, const Config& c)
    : backend_(w.backend()), count_(c.count), width_(c.width) {
  if (w.streamed() && c.count * c.width > kSmallTable) {
    in_file_ = w.lazy("weight", {c.count, c.width});
    return;
  }
  weight_ = w.get("weight", {c.count, c.width});
  if (!byte_size(weight_.dtype(), c.width))
    fail<LoadError>("{}: rows of {} numbers cannot be kept as {}", w.path("weight"), c.width,
                    name(weight_.dtype()));
  counted_ = backend_.count_weight(weight_.bytes());
}

Tensor Embedding::operator()(const Tensor& ids) const {
  Tensor rows(host(), DType::kF32, {ids.dim(0), ids.dim(1), width_});
  for (std::int64_t i = 0; backend_.has_data() && i < ids.numel(); ++i) {
    const auto id = ids.data<std::int32_t>()[i];
    check(0 <= id && id < count_, "a token id is inside the vocabulary");
    float* row = rows.data<float>() + i * width_;
    if (in_file_) {
      in_file_->read(id * width_, width_, row);
      continue;
    }
    const auto row_bytes = static_cast<std::int64_t>(*byte_size(weight_.dtype(), width_));
    to_float(weight_.dtype(), weight_.data<std::byte>() + id * row_bytes, width_, row);
  }
  return backend_.upload(rows);
}

Tensor Embedding::first(std::int64_t count) const {
  Tensor ids(host(), DType::kI32, {1, count});
  std::iota(ids.data<std::int32_t>(), ids.data<std::int32_t>() + count, 0);
  return (*this)(ids).view({count, width_});
}

Attention::Attention(const Weights& w, const Config& c)
    : config_(c),
      precision_((c.of_text ? w.without_integers() : w).precision()),
      to_q(w / "to_q", {.in = c.query, .out = c.heads * c.head_size, .bias = c.qkv_bias}),
      to_k(c.of_text ? (w / "to_k").without_integers() : w / "to_k",
           {.in = c.context, .out = c.heads * c.head_size, .bias = c.qkv_bias}),
      to_v(c.of_text ? (w / "to_v").without_integers() : w / "to_v",
           {.in = c.context, .out = c.heads * c.head_size, .bias = c.qkv_bias}),
      to_out(w / "to_out" / 0, {.in = c.heads * c.head_size, .out = c.query}) {
  if (!c.qk_norm) return;
  norm_q.emplace(w / "norm_q", RmsNorm::Config{.width = c.head_size});
  norm_k.emplace(w / "norm_k", RmsNorm::Config{.width = c.head_size});
}

Tensor Attention::operator()(const Tensor& x, const Tensor& context, const Epilogue& epilogue,
                             Memo* memo) const {
  const AttentionConfig attention{.heads = static_cast<int>(config_.heads),
                                  .scale = 1.0f / std::sqrt(static_cast<float>(config_.head_size)),
                                  .precision = precision_};
  Tensor q = to_q(x);
  if (norm_q) q = norm_q->by_head(q);
  const Tensor k = remembered(memo, &to_k, [&] {
    const Tensor keys = to_k(context);
    return norm_k ? norm_k->by_head(keys) : keys;
  });
  const Tensor v = remembered(memo, &to_v, [&] { return to_v(context); });
  return to_out(ops::attention(q, k, v, attention), epilogue);
}

FeedForward::FeedForward(const Weights& w, const Config& c)
    : activation_(c.activation),
      proj(w / "net" / 0 / "proj",
           {.in = c.width,
            .out = (c.activation == Activation::kNone ? 2 : 1) * c.multiple * c.width}),
      out(w / "net" / 2, {.in = c.multiple * c.width, .out = c.width}) {}

Tensor FeedForward::operator()(const Tensor& x, const Epilogue& epilogue) const {
  if (activation_ == Activation::kNone) return out(proj(x, {.geglu = true}), epilogue);
  return out(proj(x, {.activation = activation_}), epilogue);
}

Tensor sinusoid(Backend& backend, std::span<const double> timesteps, const SinusoidConfig& c) {
  const auto half = c.width / 2;
  Tensor features(host(), DType::kF32, {static_cast<std::int64_t>(timesteps.size()), c.width});
  auto* row = features.data<float>();
  for (double t : timesteps) {
    for (std::int64_t i = 0; i < half; ++i) {
      // float32 like the reference: the phases of late timesteps depend on the rounding of the
      // frequency.
      const float exponent = -std::log(10000.0f) * static_cast<float>(i) /
                             static_cast<float>(static_cast<double>(half) - c.freq_shift);
      const float phase = static_cast<float>(t) * std::exp(exponent);
      row[i + (c.flip_sin_to_cos ? half : 0)] = std::sin(phase);
      row[i + (c.flip_sin_to_cos ? 0 : half)] = std::cos(phase);
    }
    if (c.width % 2) row[c.width - 1] = 0;
    row += c.width;
  }
  return backend.upload(features);
}

TimestepEmbedding::TimestepEmbedding(const Weights& w, const Config& c)
    : linear_1(w / "linear_1", {.in = c.in, .out = c.out}),
      linear_2(w / "linear_2", {.in = c.out, .out = c.out}) {}

Tensor TimestepEmbedding::operator()(const Tensor& x) const {
  return linear_2(linear_1(x, {.activation = Activation::kSilu}));
}

}  // namespace mezzo::nn
