// Free functions on tensors: check shapes, allocate the result, let the operand's backend compute
// it. Activations are float32, NHWC. Every function is pure: operands stay as they are.
#pragma once

#include <span>

#include "backend/backend.h"

namespace mezzo::ops {

/// The backend that holds an activation.
Backend& backend_of(const Tensor& x);

/// [B, H, W, in] -> [B, H', W', out]; out = activation(conv(x) + bias + channel_add) + add.
Tensor conv2d(const ConvInput& x, const Packed& w, const Conv2dConfig& config,
              const Epilogue& epilogue = {});
/// [..., in] -> [..., out]
Tensor linear(const Tensor& x, const Packed& w, std::int64_t out_features,
              const Epilogue& epilogue = {});
/// [B, Lq, heads*d], [B, Lk, heads*d] twice -> [B, Lq, heads*d]
Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionConfig& config);
/// Several sequences [B, Li, heads*d] that attend to all of them as if they were one: a result for
/// each that has queries.
std::vector<Tensor> joint_attention(std::span<const AttentionPart> parts,
                                    const AttentionConfig& config);

Tensor group_norm(const Tensor& x, const Tensor& weight, const Tensor& bias,
                  const GroupNormConfig& config);
/// The same for a convolution, which normalises where it reads.
ConvInput normalized(const Tensor& x, const Tensor& weight, const Tensor& bias,
                     const GroupNormConfig& config);
Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, float eps);
Tensor rms_norm(const Tensor& x, const Tensor& weight, float eps);
/// Layer norm without weights, then x * (1 + scale) + shift; scale and shift [B, C].
Tensor modulated_layer_norm(const Tensor& x, const Tensor& scale, const Tensor& shift, float eps);

Tensor activate(const Tensor& x, Activation activation);
inline Tensor silu(const Tensor& x) { return activate(x, Activation::kSilu); }
Tensor geglu(const Tensor& x);                      // [..., 2D] -> [..., D]
Tensor add(const Tensor& a, const Tensor& b);       // b may repeat over a's leading dimensions
Tensor multiply(const Tensor& a, const Tensor& b);  // the same
Tensor scale(const Tensor& x, float factor, float offset = 0);
Tensor clamp(const Tensor& x, float low, float high);
inline Tensor tanh(const Tensor& x) { return activate(x, Activation::kTanh); }

Tensor upsample_nearest(const Tensor& x, std::int64_t height, std::int64_t width);
Tensor concat(std::span<const Tensor> parts, int dim);
/// x [B, ...] again and again until there are `rows`, a multiple of B; x itself where there are as
/// many already.
Tensor repeat_rows(const Tensor& x, std::int64_t rows);
Tensor contiguous(const Tensor& x);

/// Where latents and pictures enter and leave: [B, C, H, W] <-> [B, H, W, C].
Tensor nchw_to_nhwc(const Tensor& x);
Tensor nhwc_to_nchw(const Tensor& x);

}  // namespace mezzo::ops
