#include "sampling/seed_sequence.h"

namespace mezzo::sampling {
namespace {

constexpr std::uint32_t kInitA = 0x43b0d7e5, kMultA = 0x931e8875;
constexpr std::uint32_t kInitB = 0x8b51f9dd, kMultB = 0x58f38ded;
constexpr std::uint32_t kMixLeft = 0xca01f9dd, kMixRight = 0x4973f715;
constexpr int kShift = 16;

/// A number as 32-bit words, lowest first; 0 is one word.
void append_words(std::vector<std::uint32_t>& out, std::uint64_t v) {
  do {
    out.push_back(static_cast<std::uint32_t>(v));
    v >>= 32;
  } while (v != 0);
}

class Hash {
 public:
  std::uint32_t operator()(std::uint32_t v) {
    v ^= constant_;
    constant_ *= kMultA;
    v *= constant_;
    return v ^ (v >> kShift);
  }

 private:
  std::uint32_t constant_ = kInitA;
};

std::uint32_t mix(std::uint32_t x, std::uint32_t y) {
  const std::uint32_t v = kMixLeft * x - kMixRight * y;
  return v ^ (v >> kShift);
}

}  // namespace

std::vector<std::uint32_t> seed_sequence(std::uint64_t entropy,
                                         std::span<const std::uint64_t> spawn_key,
                                         std::size_t pool_size, std::size_t count) {
  std::vector<std::uint32_t> input;
  append_words(input, entropy);
  // A key never takes the place of missing entropy.
  if (!spawn_key.empty() && input.size() < pool_size) input.resize(pool_size);
  for (std::uint64_t k : spawn_key) append_words(input, k);

  Hash hash;
  std::vector<std::uint32_t> pool;
  for (std::size_t i = 0; i < pool_size; ++i) pool.push_back(hash(i < input.size() ? input[i] : 0));
  for (std::size_t from = 0; from < pool_size; ++from)
    for (std::size_t to = 0; to < pool_size; ++to)
      if (from != to) pool[to] = mix(pool[to], hash(pool[from]));
  for (std::size_t from = pool_size; from < input.size(); ++from)
    for (std::size_t to = 0; to < pool_size; ++to) pool[to] = mix(pool[to], hash(input[from]));

  std::vector<std::uint32_t> out;
  std::uint32_t constant = kInitB;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t v = pool[i % pool_size] ^ constant;
    constant *= kMultB;
    v *= constant;
    out.push_back(v ^ (v >> kShift));
  }
  return out;
}

}  // namespace mezzo::sampling
