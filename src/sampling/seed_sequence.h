// numpy.random.SeedSequence (O'Neill's seed_seq): spreads a seed and a key over independent 32-bit
// words.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace mezzo::sampling {

/// `count` words of SeedSequence(entropy, spawn_key=..., pool_size=...).generate_state(count).
std::vector<std::uint32_t> seed_sequence(std::uint64_t entropy,
                                         std::span<const std::uint64_t> spawn_key,
                                         std::size_t pool_size, std::size_t count);

}  // namespace mezzo::sampling
