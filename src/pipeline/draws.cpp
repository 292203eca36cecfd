#include "pipeline/draws.h"

#include "base/error.h"
#include "sampling/random.h"

namespace mezzo {
namespace {

template <class Generator>
class DrawsPerPicture final : public Draws {
 public:
  explicit DrawsPerPicture(std::span<const std::int64_t> seeds) {
    for (auto seed : seeds) generators_.emplace_back(static_cast<std::uint64_t>(seed));
  }
  std::vector<float> next(std::int64_t channels, std::int64_t height, std::int64_t width) override {
    std::vector<float> all;
    for (auto& g : generators_) {
      const auto one = g.randn(static_cast<std::size_t>(channels * height * width));
      all.insert(all.end(), one.begin(), one.end());
    }
    return all;
  }

 private:
  std::vector<Generator> generators_;
};

}  // namespace

std::unique_ptr<Draws> draws_per_picture(const std::string& source, std::span<const std::int64_t> seeds) {
  if (source == "nv") return std::make_unique<DrawsPerPicture<sampling::PhiloxGenerator>>(seeds);
  if (source == "cpu") return std::make_unique<DrawsPerPicture<sampling::TorchCpuGenerator>>(seeds);
  fail<UsageError>("rng \"{}\" is not known; nv and cpu are", source);
}

}  // namespace mezzo
