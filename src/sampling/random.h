// Random numbers that recipes can carry to other programs: torch's CPU generator (MT19937,
// Matsumoto & Nishimura 1998) and the Philox generator of NVIDIA GPUs (Salmon et al. 2011,
// "Parallel random numbers: as easy as 1, 2, 3").
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string_view>
#include <vector>

namespace mezzo::sampling {

enum class RandomSource { kTorchCpu, kPhilox };

/// A stream of unit normal numbers. Not thread-safe; one for each image or run.
class Generator {
 public:
  virtual ~Generator() = default;
  /// The next n values, as one call of torch.randn gives them: how many are asked for at once can
  /// matter.
  virtual std::vector<float> normal(std::size_t n) = 0;
};
std::unique_ptr<Generator> make_generator(RandomSource, std::uint64_t seed);

/// torch.Generator("cpu").manual_seed(seed): only the low 32 bits of the seed count.
class TorchCpuGenerator final : public Generator {
 public:
  explicit TorchCpuGenerator(std::uint64_t seed);

  std::vector<float> normal(std::size_t n) override;
  /// torch.randn(n, dtype=float64): other values than the float ones.
  std::vector<double> normal_double(std::size_t n);
  /// torch.rand(n): [0, 1) in steps of 2^-24.
  std::vector<float> uniform(std::size_t n);
  /// torch.randint(limit, (n,)) for a limit below 2^32.
  std::vector<std::int64_t> integers(std::size_t n, std::int64_t limit);
  /// torch.randperm(n) for n below 30000.
  std::vector<std::int64_t> permutation(std::size_t n);

 private:
  std::uint32_t word() { return static_cast<std::uint32_t>(engine_()); }
  double uniform_double();
  double single_normal();

  std::mt19937 engine_;
  std::optional<double> kept_;  // the second value of a Box-Muller pair
};

/// A1111's "NV": the noise that torch.randn gives on a GPU, for tensors of one wave of threads. All
/// 64 bits of the seed count; each call starts a new counter.
class PhiloxGenerator final : public Generator {
 public:
  explicit PhiloxGenerator(std::uint64_t seed) : seed_(seed) {}
  std::vector<float> normal(std::size_t n) override;

  /// philox4x32-10 of the counter (call, 0, index, 0).
  static std::array<std::uint32_t, 4> words(std::uint64_t seed, std::uint32_t call,
                                            std::uint32_t index);

 private:
  std::uint64_t seed_;
  std::uint32_t call_ = 0;
};

}  // namespace mezzo::sampling
