#include "sampling/random.h"

#include <cmath>
#include <numbers>
#include <numeric>

#include "base/checked.h"

namespace mezzo::sampling {
namespace {

constexpr std::size_t kBlock = 16;  // torch fills in blocks of this many, and one by one below it

/// Turns 16 uniform values into normal ones by Box-Muller, the two halves together.
template <class T>
void box_muller(T* block) {
  for (std::size_t j = 0; j < kBlock / 2; ++j) {
    const T u1 = 1 - block[j], u2 = block[j + kBlock / 2];
    const T radius = std::sqrt(-2 * std::log(u1));
    const T theta = 2 * std::numbers::pi_v<T> * u2;
    block[j] = radius * std::cos(theta);
    block[j + kBlock / 2] = radius * std::sin(theta);
  }
}

/// torch's way for 16 values or more: uniform numbers in place, then blocks; a rest is made by
/// drawing the last 16 again.
template <class T, class Draw>
std::vector<T> blocks(std::size_t n, Draw draw) {
  std::vector<T> v(n);
  for (T& x : v) x = draw();
  for (std::size_t i = 0; i + kBlock <= n; i += kBlock) box_muller(v.data() + i);
  if (n % kBlock != 0) {
    T* last = v.data() + n - kBlock;
    for (std::size_t i = 0; i < kBlock; ++i) last[i] = draw();
    box_muller(last);
  }
  return v;
}

}  // namespace

std::unique_ptr<Generator> make_generator(RandomSource source, std::uint64_t seed) {
  if (source == RandomSource::kTorchCpu) return std::make_unique<TorchCpuGenerator>(seed);
  return std::make_unique<PhiloxGenerator>(seed);
}

TorchCpuGenerator::TorchCpuGenerator(std::uint64_t seed)
    : engine_(static_cast<std::uint32_t>(seed)) {}

double TorchCpuGenerator::uniform_double() {
  const std::uint64_t high = word(), low = word();
  constexpr std::uint64_t kMask = (1ull << 53) - 1;
  return static_cast<double>(((high << 32) | low) & kMask) * 0x1p-53;
}

double TorchCpuGenerator::single_normal() {
  if (kept_) {
    const double v = *kept_;
    kept_.reset();
    return v;
  }
  const double u1 = uniform_double(), u2 = uniform_double();
  const double radius = std::sqrt(-2 * std::log1p(-u2)), theta = 2 * std::numbers::pi * u1;
  kept_ = radius * std::sin(theta);
  return radius * std::cos(theta);
}

std::vector<float> TorchCpuGenerator::normal(std::size_t n) {
  if (n >= kBlock)
    return blocks<float>(n, [&] { return static_cast<float>(word() & 0xffffff) * 0x1p-24f; });
  std::vector<float> v(n);
  for (float& x : v) x = static_cast<float>(single_normal());
  return v;
}

std::vector<double> TorchCpuGenerator::normal_double(std::size_t n) {
  if (n >= kBlock) return blocks<double>(n, [&] { return uniform_double(); });
  std::vector<double> v(n);
  for (double& x : v) x = single_normal();
  return v;
}

std::vector<float> TorchCpuGenerator::uniform(std::size_t n) {
  std::vector<float> v(n);
  for (float& x : v) x = static_cast<float>(word() & 0xffffff) * 0x1p-24f;
  return v;
}

std::vector<std::int64_t> TorchCpuGenerator::integers(std::size_t n, std::int64_t limit) {
  std::vector<std::int64_t> v(n);
  for (auto& x : v) x = static_cast<std::int64_t>(word() % static_cast<std::uint32_t>(limit));
  return v;
}

std::vector<std::int64_t> TorchCpuGenerator::permutation(std::size_t n) {
  std::vector<std::int64_t> v(n);
  std::iota(v.begin(), v.end(), 0);
  for (std::size_t i = 0; i + 1 < n; ++i) std::swap(v[i], v[i + word() % (n - i)]);
  return v;
}

std::array<std::uint32_t, 4> PhiloxGenerator::words(std::uint64_t seed, std::uint32_t call,
                                                    std::uint32_t index) {
  constexpr std::uint64_t kM0 = 0xD2511F53, kM1 = 0xCD9E8D57;
  constexpr std::uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  constexpr int kRounds = 10;
  std::array<std::uint32_t, 4> c = {call, 0, index, 0};
  auto key0 = static_cast<std::uint32_t>(seed), key1 = static_cast<std::uint32_t>(seed >> 32);
  for (int round = 0; round < kRounds; ++round) {
    const std::uint64_t p0 = kM0 * c[0], p1 = kM1 * c[2];
    c = {static_cast<std::uint32_t>(p1 >> 32) ^ c[1] ^ key0, static_cast<std::uint32_t>(p1),
         static_cast<std::uint32_t>(p0 >> 32) ^ c[3] ^ key1, static_cast<std::uint32_t>(p0)};
    key0 += kWeyl0;
    key1 += kWeyl1;
  }
  return c;
}

std::vector<float> PhiloxGenerator::normal(std::size_t n) {
  constexpr float kScale = 2.3283064e-10f, kAngle = 2.3283064e-10f * 6.2831855f;
  std::vector<float> v(n);
  for (std::size_t i = 0; i < n; ++i) {
    const auto w = words(seed_, call_, narrow<std::uint32_t>(i));
    const float u = static_cast<float>(w[0]) * kScale + kScale / 2;
    const float angle = static_cast<float>(w[1]) * kAngle + kAngle / 2;
    v[i] = std::sqrt(-2 * std::log(u)) * std::sin(angle);
  }
  ++call_;
  return v;
}

}  // namespace mezzo::sampling
