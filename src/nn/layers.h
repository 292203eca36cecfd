// Layers: values that ask for their weights by name when built, and apply them when called.
// Members carry the names of the checkpoint. Layers are small enough to live in one header.
#pragma once

#include <functional>
#include <optional>

#include "nn/memo.h"
#include "ops/ops.h"
#include "weights/weights.h"

namespace mezzo::nn {

/// The packed weight of a layer: held, or read and packed anew at each use (Weights::stream()), so
/// that one layer's weight is in memory at a time. The numbers are the same.
class HeldWeight {
 public:
  using Pack = std::function<PackedPtr()>;
  /// `weight` and `out`: the shapes of the layer's tensors, for the check that a streamed network
  /// gets when it is built.
  struct Shapes {
    Shape weight;
    std::int64_t out;
    bool bias;
  };
  HeldWeight(const Weights& w, const Shapes& shapes, Pack pack);
  PackedPtr operator()() const { return held_ ? held_ : pack_(); }

 private:
  PackedPtr held_;
  Pack pack_;
};

/// y = x W^T + b. Weight [out, in].
class Linear {
 public:
  struct Config {
    std::int64_t in, out;
    bool bias = true;
  };
  Linear(const Weights& w, const Config& c);
  Tensor operator()(const Tensor& x,
                    const Epilogue& epilogue = {}) const;  // [..., in] -> [..., out]

 private:
  std::int64_t out_;
  HeldWeight weight_;
};

/// Convolution on [B, H, W, in]. Weight [out, in, k, k].
class Conv2d {
 public:
  struct Config {
    std::int64_t in, out;
    int kernel = 3, stride = 1, padding = 1;
    bool bias = true;
    bool pad_end_only = false;
  };
  Conv2d(const Weights& w, const Config& c);
  Tensor operator()(const ConvInput& x, const Epilogue& epilogue = {}) const;

 private:
  Conv2dConfig config_;
  HeldWeight weight_;
};

/// Group normalisation (Wu & He 2018) over [B, ..., C], with the activation that follows it.
class GroupNorm {
 public:
  struct Config {
    std::int64_t channels;
    int groups;
    float eps;
    Activation activation = Activation::kNone;
  };
  GroupNorm(const Weights& w, const Config& c);
  Tensor operator()(const Tensor& x) const;
  /// The same for the convolution that follows: the normalised picture is never in memory.
  ConvInput before_conv(const Tensor& x) const;  // [B, H, W, C]

 private:
  GroupNormConfig config_;
  Tensor weight_, bias_;
};

class LayerNorm {
 public:
  struct Config {
    std::int64_t width;
    float eps = 1e-5f;
  };
  LayerNorm(const Weights& w, const Config& c);
  Tensor operator()(const Tensor& x) const;  // [..., width]

 private:
  float eps_;
  Tensor weight_, bias_;
};

/// Division by the root of the mean square (Zhang & Sennrich 2019), no mean, no bias.
class RmsNorm {
 public:
  struct Config {
    std::int64_t width;
    float eps = 1e-6f;
  };
  RmsNorm(const Weights& w, const Config& c);
  Tensor operator()(const Tensor& x) const;  // [..., width]
  /// Each head by itself: [B, L, heads * width].
  Tensor by_head(const Tensor& x) const;

 private:
  float eps_;
  Tensor weight_;
};

/// Rows of a table. The table stays on the host in the file's type, or in the file where weights
/// are streamed: only the rows asked for are converted.
class Embedding {
 public:
  struct Config {
    std::int64_t count, width;
  };
  Embedding(const Weights& w, const Config& c);
  Tensor operator()(const Tensor& ids) const;  // host int32 [B, L] -> [B, L, width]
  Tensor first(std::int64_t count) const;      // [count, width]: rows 0, 1, ...

 private:
  Backend& backend_;
  std::int64_t count_, width_;
  Tensor weight_;
  PackedPtr counted_;  // its bytes, among the backend's weights
  std::optional<LazyTensor> in_file_;
};

/// Multi-head attention with separate projections (to_q, to_k, to_v, to_out.0), as diffusers'
/// Attention.
class Attention {
 public:
  struct Config {
    std::int64_t query, context, heads, head_size;
    bool qkv_bias = false;
    bool qk_norm = false;  // RMS norm of each head's queries and keys
    bool of_text = false;  // context is a text: its keys and values are not multiplied in integers
  };
  Attention(const Weights& w, const Config& c);
  /// x [B, L, query] attends to context [B, Lk, context] -> [B, L, query]. With a memo the context
  /// is the same at every call.
  Tensor operator()(const Tensor& x, const Tensor& context, const Epilogue& epilogue,
                    Memo* memo = nullptr) const;

 private:
  Config config_;
  Precision precision_;
  Linear to_q, to_k, to_v, to_out;
  std::optional<RmsNorm> norm_q, norm_k;
};

/// Feed-forward: net.0.proj widens, net.2 returns.
class FeedForward {
 public:
  struct Config {
    std::int64_t width;
    std::int64_t multiple = 4;
    /// kNone: gated instead (GEGLU, Shazeer 2020), net.0.proj gives values and gates.
    Activation activation = Activation::kNone;
  };
  FeedForward(const Weights& w, const Config& c);
  Tensor operator()(const Tensor& x, const Epilogue& epilogue) const;  // [B, L, width]

 private:
  Activation activation_;
  Linear proj, out;
};

/// Sinusoidal features of timesteps (Vaswani et al. 2017), [B] -> [B, width] on the device of
/// `backend`.
struct SinusoidConfig {
  std::int64_t width;
  bool flip_sin_to_cos = true;
  double freq_shift = 0;
};
Tensor sinusoid(Backend& backend, std::span<const double> timesteps, const SinusoidConfig& c);

/// linear_1, SiLU, linear_2.
class TimestepEmbedding {
 public:
  struct Config {
    std::int64_t in, out;
  };
  TimestepEmbedding(const Weights& w, const Config& c);
  Tensor operator()(const Tensor& x) const;  // [B, in] -> [B, out]

 private:
  Linear linear_1, linear_2;
};

}  // namespace mezzo::nn
