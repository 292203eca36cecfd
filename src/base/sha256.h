// SHA-256 (FIPS 180-4), for the model hashes that recipes carry.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace mezzo {

class Sha256 {
 public:
  void update(std::span<const std::byte> bytes);
  /// 64 lower-case hex digits of everything given so far. Call once.
  std::string finish();

 private:
  void block(const std::uint8_t* p);

  std::array<std::uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::uint8_t, 64> buffer_{};
  std::size_t buffered_ = 0;
  std::uint64_t total_ = 0;
};

}  // namespace mezzo
