// What layers are told of the step: an embedding of its time and, in some networks, of the text.
#pragma once

#include <functional>
#include <span>

#include "nn/layers.h"

namespace mezzo::nn {

/// Layers make of it what does not depend on the picture (a ResNet's bias, the modulations of
/// adaLN). With a memo that expects more steps (Memo::expect) they do so for several at once:
/// their weights, a third of MMDiT-X's, are then read once for all of these.
class StepEmbedding {
 public:
  /// Rows of an embedding, those of the first step first, for the times of pictures, those of the
  /// first step first.
  using Embed = std::function<Tensor(std::span<const double> times)>;  // -> [steps * rows, D]

  /// Of a network that is told nothing.
  StepEmbedding() = default;
  /// timesteps: one for each picture; rows: of a step.
  StepEmbedding(std::span<const double> timesteps, std::int64_t rows, Memo* memo,
                const Embed& embed);
  /// What a layer makes of the present step's rows: [rows, out].
  Tensor through(const Linear& layer) const;

 private:
  Tensor all_;  // [steps * rows, D]
  std::int64_t rows_ = 0, index_ = 0;
  Memo::Steps* steps_ = nullptr;
};

}  // namespace mezzo::nn
