#include "base/sha256.h"

#include <gtest/gtest.h>

namespace mezzo {
namespace {

std::string hash(std::string_view text, std::size_t piece) {
  Sha256 sha;
  for (std::size_t at = 0; at < text.size(); at += piece) {
    const auto part = text.substr(at, piece);
    sha.update(std::as_bytes(std::span(part.data(), part.size())));
  }
  return sha.finish();
}

// The examples of FIPS 180-4 and the empty message.
TEST(Sha256, KnownValues) {
  EXPECT_EQ(hash("", 1), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hash("abc", 3), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hash("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(Sha256, PiecesDoNotMatter) {
  const std::string text(1000, 'a');
  for (std::size_t piece : {1u, 7u, 63u, 64u, 65u, 999u})
    EXPECT_EQ(hash(text, piece), hash(text, 1000));
}

}  // namespace
}  // namespace mezzo
