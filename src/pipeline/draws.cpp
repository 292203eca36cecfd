#include "pipeline/draws.h"

#include "base/error.h"
#include "sampling/brownian.h"
#include "sampling/random.h"

namespace mezzo {
namespace {

class DrawsPerPicture final : public Draws {
 public:
  DrawsPerPicture(sampling::RandomSource source, std::span<const std::int64_t> seeds) {
    for (auto seed : seeds) {
      seeds_.push_back(static_cast<std::uint64_t>(seed));
      generators_.push_back(sampling::make_generator(source, seeds_.back()));
    }
  }
  std::vector<float> next(std::int64_t channels, std::int64_t height, std::int64_t width) override {
    std::vector<float> all;
    for (auto& g : generators_) {
      const auto one = g->normal(static_cast<std::size_t>(channels * height * width));
      all.insert(all.end(), one.begin(), one.end());
    }
    return all;
  }
  sampling::NoiseSource path(double sigma_min, double sigma_max, std::size_t size) override {
    return sampling::brownian_noise(sigma_min, sigma_max, size, seeds_);
  }

 private:
  std::vector<std::uint64_t> seeds_;
  std::vector<std::unique_ptr<sampling::Generator>> generators_;
};

}  // namespace

std::unique_ptr<Draws> draws_per_picture(const std::string& source,
                                         std::span<const std::int64_t> seeds) {
  if (source == "nv")
    return std::make_unique<DrawsPerPicture>(sampling::RandomSource::kPhilox, seeds);
  if (source == "cpu")
    return std::make_unique<DrawsPerPicture>(sampling::RandomSource::kTorchCpu, seeds);
  fail<UsageError>("rng \"{}\" is not known; nv and cpu are", source);
}

}  // namespace mezzo
