#include "nn/step_embedding.h"

#include <algorithm>
#include <vector>

namespace mezzo::nn {
namespace {

constexpr std::int64_t kRows = 16;  // of all steps: 32 MB of modulations in SD 3.5 Medium

bool all_equal(std::span<const double> values) {
  return std::ranges::adjacent_find(values, std::ranges::not_equal_to()) == values.end();
}

}  // namespace

StepEmbedding::StepEmbedding(std::span<const double> timesteps, std::int64_t rows, Memo* memo,
                             const Embed& embed)
    : rows_(rows) {
  if (memo && all_equal(timesteps))
    steps_ = memo->steps_of(timesteps[0], std::max<std::int64_t>(kRows / rows, 1));
  if (!steps_) {
    all_ = embed(timesteps);
    return;
  }
  if (!steps_->embedding) {
    std::vector<double> times;  // of every picture
    for (double t : steps_->times) times.insert(times.end(), timesteps.size(), t);
    steps_->embedding = embed(times);
  }
  all_ = steps_->embedding;
  index_ = std::ranges::find(steps_->times, timesteps[0]) - steps_->times.begin();
}

Tensor StepEmbedding::through(const Linear& layer) const {
  if (!steps_) return layer(all_);
  Tensor& made = steps_->of_layer[&layer];
  if (!made) made = layer(all_);
  return made.slice(0, index_ * rows_, (index_ + 1) * rows_);
}

}  // namespace mezzo::nn
