// The CPU of this process as a backend. Each operation: OpRecorder (stop, log), scratch by
// footprint.h, then kernels (kernels/kernels.h) over pieces of work. When counting there
// are no data and nothing after the scratch happens.
#pragma once

#include <algorithm>
#include <array>

#include "backend/backend.h"
#include "backend/cpu/memory.h"
#include "backend/cpu/parallel.h"
#include "backend/cpu/product.h"
#include "backend/op_recorder.h"
#include "tensor/arena.h"

namespace mezzo {

class CpuBackend : public Backend {
 public:
  explicit CpuBackend(const CpuOptions& options) : CpuBackend(options, true) {}

  void* allocate(std::size_t bytes) override {
    void* data = arena_.allocate(bytes, *weight_bytes_);
    note_peak(0);
    return data;
  }
  void release(void* data, std::size_t bytes) noexcept override { arena_.release(data, bytes); }
  bool has_data() const override { return has_data_; }

  PackedPtr pack_conv2d(const Tensor& weight, const Tensor& bias, const Conv2dConfig&,
                        Precision) override;
  PackedPtr pack_linear(const Tensor& weight, const Tensor& bias, Precision) override;
  Tensor upload(const Tensor& values) override;
  Tensor download(const Tensor& x) override;

  void conv2d(const ConvInput& x, const Packed& w, const Epilogue&, Tensor& out) override;
  void linear(const Tensor& x, const Packed& w, const Epilogue&, Tensor& out) override;
  void attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionConfig&,
                 Tensor& out) override;
  void group_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, const GroupNormConfig&,
                  Tensor& out) override;
  void group_norm_factors(const Tensor& x, const Tensor& weight, const Tensor& bias,
                          const GroupNormConfig&, Tensor& out) override;
  void layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, float eps,
                  Tensor& out) override;
  void rms_norm(const Tensor& x, const Tensor& weight, float eps, Tensor& out) override;
  void activate(const Tensor& x, Activation, Tensor& out) override;
  void add(const Tensor& a, const Tensor& b, Tensor& out) override;
  void multiply(const Tensor& a, const Tensor& b, Tensor& out) override;
  void scale(const Tensor& x, float factor, float offset, Tensor& out) override;
  void clamp(const Tensor& x, float low, float high, Tensor& out) override;
  void upsample_nearest(const Tensor& x, Tensor& out) override;
  void copy(const Tensor& x, Tensor& out) override;
  void geglu(const Tensor& x, Tensor& out) override;
  void modulated_layer_norm(const Tensor& x, const Tensor& scale, const Tensor& shift, float eps,
                            Tensor& out) override;
  void joint_attention(std::span<const AttentionPart> parts, const AttentionConfig&,
                       std::span<Tensor> outs) override;

  PackedPtr count_weight(std::size_t bytes) override;
  std::size_t weight_bytes() const override { return *weight_bytes_; }
  std::size_t activation_peak() const override { return arena_.peak(); }
  std::size_t memory_peak() const override { return memory_peak_; }
  void start_peak() override {
    memory_peak_ = 0;
    note_peak(0);
  }
  void trim() override;

 protected:
  CpuBackend(const CpuOptions& options, bool has_data);

 private:
  /// What every operation begins with.
  class Op {
   public:
    template <class Work>
    Op(const CpuBackend& backend, Work&& work) : backend_(backend), recorder_(backend, work) {}
    ~Op() {
      if (recorder_.active())
        recorder_.set_predicted(backend_.predicted(recorder_), !backend_.has_data_);
    }
    /// `flops`: those of float32 that would take the same time.
    void computes(std::string_view algorithm, double flops) {
      if (recorder_.active()) recorder_.set_algorithm(algorithm, flops);
    }
    double flops() const { return static_cast<double>(recorder_.record().flops); }

   private:
    const CpuBackend& backend_;
    OpRecorder recorder_;
  };

  /// `passing`: bytes in use beside weights and activations.
  void note_peak(std::size_t passing) {
    memory_peak_ = std::max(memory_peak_, *weight_bytes_ + arena_.resident() + passing);
  }
  /// Working memory of one operation.
  Tensor scratch(std::size_t bytes);

  void attend(Op&, std::span<const AttentionPart> parts, const AttentionConfig&,
              std::span<Tensor> outs);
  PackedPtr pack(const Tensor& weight, const Tensor& bias, const Conv2dConfig&, Precision);
  /// One thread for what takes less time than waking the others and waiting for them, which is
  /// longer still on a machine that is busy. `flops`: of float32.
  int threads_for(double flops) const {
    constexpr double kSmall = 3e6;  // 20 to 40 microseconds
    return flops < kSmall ? 1 : threads_;
  }
  /// Seconds that an operation is expected to take.
  double predicted(const OpRecorder&) const;
  /// images: how many, height, width.
  void product(Op&, const ConvInput& x, const Packed& w, const Epilogue&, Tensor& out,
               std::array<std::int64_t, 3> images);

  Arena arena_;
  bool has_data_;
  int threads_;
  bool winograd_;
  std::size_t memory_peak_ = 0;
  ByteCount weight_bytes_ = std::make_shared<std::atomic<std::size_t>>(0);
};

/// Copies float32 values between views of the same shape.
void copy_values(const Tensor& x, Tensor& out, int threads);

}  // namespace mezzo
