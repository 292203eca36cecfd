// What a network need not compute anew in the next step of a run.
#pragma once

#include <functional>
#include <unordered_map>
#include <vector>

#include "tensor/tensor.h"

namespace mezzo {

/// Features of a network's deep part change little from step to step and may be used again
/// (DeepCache: Ma et al. 2024, arXiv:2312.00858), as long as they are expected to be within a bound
/// of what would be computed. Whenever they are computed, their drift since the last time is
/// measured: the L2 norm of the change over that of the features. Its ratio to the change of the
/// shallow features that they are made of tells what to expect (TeaCache, Liu et al. 2025,
/// arXiv:2411.19108, has that ratio from a fit).
class DeepFeatures {
 public:
  /// 0: they are computed every time.
  explicit DeepFeatures(double max_drift = 0) : max_drift_(max_drift) {}

  bool on() const { return max_drift_ > 0; }
  /// What `compute` makes of the shallow features [B, ...], or what it last made.
  Tensor operator()(const Tensor& shallow, const std::function<Tensor()>& compute);
  /// Another run of steps begins: nothing of before is used again.
  void forget();

  int reused() const { return reused_; }
  /// The largest drift of features that were used: by the ratio measured when they were next
  /// computed, or the expected one where they were not.
  double drift() const;

 private:
  double expected(double change) const;

  double max_drift_;
  Tensor shallow_, deep_;                // of the last time that they were computed
  double ratio_ = 0, ratio_before_ = 0;  // of drift to change, the last two; 0: not known
  double change_used_ = 0;               // of the shallow features when deep_ was last used again
  int reused_ = 0;
  double drift_ = 0;
};

/// Kept from call to call of a network while its text and the sizes of its operands stay the same.
class Memo {
 public:
  explicit Memo(double max_drift = 0) : deep(max_drift) {}

  /// What a layer makes of the text, if it was computed already.
  Tensor& of_text(const void* layer) { return of_text_[layer]; }
  /// There is another text from now on.
  void forget() {
    of_text_.clear();
    steps_ = {};
    deep.forget();
  }

  DeepFeatures deep;

  /// Calls for these times are to come, in this order.
  void expect(const std::vector<double>& times);
  /// Steps that are looked at together (StepEmbedding).
  struct Steps {
    std::vector<double> times;
    Tensor embedding;                                  // undefined in new ones
    std::unordered_map<const void*, Tensor> of_layer;  // what layers made of it
  };
  /// Those that time t is one of: the last ones, or new ones of t and up to `most` - 1 times that
  /// are expected after it. Null where t was not expected.
  Steps* steps_of(double t, std::int64_t most);

 private:
  std::unordered_map<const void*, Tensor> of_text_;
  std::vector<double> expected_;  // each once
  Steps steps_;
};

/// What a layer makes of the text: computed once, or, without a memo, every time.
template <class Compute>
Tensor remembered(Memo* memo, const void* layer, const Compute& compute) {
  if (!memo) return compute();
  Tensor& kept = memo->of_text(layer);
  if (!kept) kept = compute();
  return kept;
}

/// The text that a network attends to, [nB, L, D], and what is kept of it.
struct TextContext {
  TextContext(Tensor text, Memo* kept = nullptr)  // NOLINT(google-explicit-constructor)
      : tokens(std::move(text)), memo(kept) {}
  Tensor tokens;
  Memo* memo;
};

}  // namespace mezzo
