// What a device must be able to do. ops/ validates, allocates results and calls these; models never
// see a backend's kernels. Activations are float32, NHWC ([B, H, W, C], tokens [B, L, D] are the
// same memory) and contiguous unless a comment says that a view is taken. Primitives are pure
// virtual; fused operations have a body made of primitives and are overridden where a backend does
// better.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace mezzo {

/// Arithmetic of products. kF32: the reference. kAuto: where the CPU is fast at them, 16-bit
/// integers, whose error is about that of weights of 16 bits; else float32, or bfloat16 where it is
/// asked for (cpu_multiplies_bf16()). kBF16: the same, and all weights have 16 bits. kInt8:
/// operands rounded to 8 bits, with factors for each row or range of pixels and each output, and
/// exact sums.
enum class Precision { kF32, kAuto, kBF16, kInt8 };
/// The same for what must not be rounded to 8 bits.
constexpr Precision without_int8(Precision p) {
  return p == Precision::kInt8 ? Precision::kBF16 : p;
}

enum class Activation { kNone, kSilu, kGelu, kGeluTanh, kQuickGelu, kRelu, kTanh, kExp };

/// A weight (and bias) in the form that a backend's kernel wants.
class Packed {
 public:
  virtual ~Packed() = default;
  virtual std::size_t bytes() const = 0;
};
using PackedPtr = std::shared_ptr<const Packed>;

/// Geometry of a convolution; square kernel, zero padding (top, left, bottom, right), no dilation,
/// one group.
struct Conv2dConfig {
  std::int64_t in = 0, out = 0;
  int kernel = 3, stride = 1;
  int pad_top = 1, pad_left = 1, pad_bottom = 1, pad_right = 1;
};

/// A picture as a convolution reads it: activation(x * factor + offset), and every pixel `enlarge`
/// times in both directions. A tensor stands for itself.
struct ConvInput {
  ConvInput(Tensor picture)  // NOLINT(google-explicit-constructor)
      : x(std::move(picture)) {}

  Tensor x;             // [B, H, W, in]
  Tensor factors = {};  // [B, 2, in] of group_norm_factors()
  Activation activation = Activation::kNone;
  int enlarge = 1;

  std::int64_t height() const { return x.dim(1) * enlarge; }
  std::int64_t width() const { return x.dim(2) * enlarge; }
};

/// What follows the product: out = activation(product + bias + channel_add) * gate + add.
struct Epilogue {
  Tensor channel_add =
      {};           // [B, C]: added to every pixel or token of an image (the timestep embedding)
  Tensor add = {};  // shape of the result: the residual
  Activation activation = Activation::kNone;
  Tensor gate = {};  // [B, C], rows may be a view: a factor of every pixel or token of an image
  /// Of linear layers, with nothing of the above: the products are [value | gate] and the result,
  /// half as wide, is value * gelu(gate) (GEGLU, Shazeer 2020).
  bool geglu = false;
};

struct GroupNormConfig {
  int groups = 32;
  float eps = 1e-5f;
  Activation activation = Activation::kNone;
};

/// Softmax(scale * q k^T + mask) v for every head. Rows of q, k, v may be strided views (a slice of
/// a fused projection).
struct AttentionConfig {
  int heads = 1;
  float scale = 1.0f;
  bool causal = false;
  Tensor bias = {};  // optional [heads, Lq, Lk] or [1, Lq, Lk], added to the scores
  /// Of both products, as for layers; kInt8 rounds queries, keys, values and probabilities.
  Precision precision = Precision::kF32;
};

/// One of several sequences that attend to all of them together. A sequence without q is only
/// looked at.
struct AttentionPart {
  Tensor q = {}, k = {}, v = {};  // [B, L, heads*d], L of its own
};

/// One kind of operation in a run: how often, how much work, how long.
struct OpRecord {
  std::string name;   // conv3x3, conv1x1, linear, attention, group_norm ...
  std::string shape;  // of the operands, for per-layer tables
  std::int64_t flops = 0, bytes = 0;
  double seconds = 0;
  std::string algorithm = {};  // how it was computed, where there is a choice
  double predicted = 0;        // seconds that were expected
};

/// Collects the operations of a run when a backend is given one (bench, plan).
struct OpLog {
  std::vector<OpRecord> records;
};

class Backend : public Device {
 public:
  /// Weight as [out, in, k, k] / [out, in] on the host, of any dtype; bias [out] or undefined.
  virtual PackedPtr pack_conv2d(const Tensor& weight, const Tensor& bias, const Conv2dConfig&,
                                Precision) = 0;
  virtual PackedPtr pack_linear(const Tensor& weight, const Tensor& bias, Precision) = 0;
  /// Host values of any dtype as a float32 tensor of this device (norm weights, embeddings,
  /// latents).
  virtual Tensor upload(const Tensor& values) = 0;
  /// The values of a float32 tensor of this device, contiguous on the host.
  virtual Tensor download(const Tensor& x) = 0;

  // Primitives. `out` has its final shape; x [B, H, W, in] -> out [B, H', W', out].
  virtual void conv2d(const ConvInput& x, const Packed& w, const Epilogue&, Tensor& out) = 0;
  virtual void linear(const Tensor& x, const Packed& w, const Epilogue&,
                      Tensor& out) = 0;  // [..., in] -> [..., out]
  virtual void attention(
      const Tensor& q, const Tensor& k, const Tensor& v, const AttentionConfig&,
      Tensor& out) = 0;  // [B, Lq, heads*d], [B, Lk, heads*d] twice -> [B, Lq, heads*d]
  virtual void group_norm(const Tensor& x, const Tensor& weight, const Tensor& bias,
                          const GroupNormConfig&,
                          Tensor& out) = 0;  // [B, ..., C]
  /// What the statistics of x come to, for a convolution that normalises where it reads
  /// (ConvInput): a factor and an offset for each channel, out [B, 2, C].
  virtual void group_norm_factors(const Tensor& x, const Tensor& weight, const Tensor& bias,
                                  const GroupNormConfig&, Tensor& out) = 0;
  virtual void layer_norm(
      const Tensor& x, const Tensor& weight, const Tensor& bias, float eps,
      Tensor& out) = 0;  // over the last dimension; weight and bias may be undefined
  virtual void rms_norm(const Tensor& x, const Tensor& weight, float eps, Tensor& out) = 0;
  virtual void activate(const Tensor& x, Activation, Tensor& out) = 0;  // out may be x
  virtual void add(
      const Tensor& a, const Tensor& b,
      Tensor& out) = 0;  // same shape, or b [..., C] repeats over a's leading dimensions
  virtual void multiply(const Tensor& a, const Tensor& b, Tensor& out) = 0;  // the same
  virtual void scale(const Tensor& x, float factor, float offset,
                     Tensor& out) = 0;  // x * factor + offset
  virtual void clamp(const Tensor& x, float low, float high, Tensor& out) = 0;
  virtual void upsample_nearest(const Tensor& x,
                                Tensor& out) = 0;  // [B, H, W, C] -> [B, H', W', C]
  /// Copies between float32 views of equal shape, whatever their strides (concatenation, NCHW <->
  /// NHWC).
  virtual void copy(const Tensor& x, Tensor& out) = 0;

  // Fused operations.
  virtual void geglu(const Tensor& x,
                     Tensor& out);  // [..., 2D] = [value | gate] -> value * gelu(gate), exact erf
  /// Layer norm without weights, then x * (1 + scale) + shift (Perez et al. 2018; adaLN of Peebles
  /// & Xie 2023). x [B, ..., C]; scale and shift [B, C], whose rows may be a view.
  virtual void modulated_layer_norm(const Tensor& x, const Tensor& scale, const Tensor& shift,
                                    float eps, Tensor& out);
  /// Attention of several sequences as if they were one, in this order. No bias, not causal.
  /// outs[i] [B, Li, heads*d]; undefined where parts[i] has no q.
  virtual void joint_attention(std::span<const AttentionPart> parts, const AttentionConfig&,
                               std::span<Tensor> outs);

  /// Counts that many bytes, which somebody holds beside this backend's memory, among the weights
  /// for as long as the result lives.
  virtual PackedPtr count_weight(std::size_t bytes) = 0;

  /// Bytes of packed weights alive, and of activations at the highest point so far.
  virtual std::size_t weight_bytes() const = 0;
  virtual std::size_t activation_peak() const = 0;
  /// Bytes of weights, activations and of what packing needs, all at one time: the most since
  /// start_peak().
  virtual std::size_t memory_peak() const = 0;
  virtual void start_peak() = 0;
  /// Gives memory that is not in use back to the system (between phases).
  virtual void trim() {}

  void set_log(OpLog* log) { log_ = log; }
  OpLog* log() const { return log_; }
  /// Every operation first throws Cancelled when this token was stopped.
  void set_stop(std::stop_token token) { stop_ = std::move(token); }
  const std::stop_token& stop() const { return stop_; }

 private:
  OpLog* log_ = nullptr;
  std::stop_token stop_;
};

struct CpuOptions {
  int threads = 0;            // 0: one per physical core available to the process
  std::size_t max_bytes = 0;  // of weights and activations; 0: no limit
  bool winograd = true;       // where it is the faster way; else every convolution is direct
};

/// The CPU of this process. Results do not depend on `threads` nor on an image's place in a batch.
std::unique_ptr<Backend> make_cpu_backend(const CpuOptions& = {});

/// No data: runs the same code to count memory, work and time of the CPU backend with these
/// options.
std::unique_ptr<Backend> make_meta_backend(const CpuOptions& = {});

/// Whether kAuto and kBF16 multiply bfloat16: only where MEZZO_CPU_ISA=avx512_bf16 asks for it,
/// since the error exceeds that of recorded networks and only some CPUs are faster at it.
bool cpu_multiplies_bf16();

}  // namespace mezzo
