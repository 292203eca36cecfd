#include "text/protobuf.h"

#include <bit>

#include "base/error.h"

namespace mezzo {

void ProtobufReader::refuse(std::string_view why) const {
  fail<LoadError>("{}: is damaged or no SentencePiece model: {}; get another copy", origin_, why);
}

std::uint64_t ProtobufReader::varint() {
  constexpr unsigned kMostBits = 64;
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < kMostBits; shift += 7) {
    const auto byte = static_cast<unsigned char>(take(1)[0]);
    value |= std::uint64_t{byte & 0x7Fu} << shift;
    if (byte < 0x80) return value;
  }
  refuse("a number without an end");
}

std::string_view ProtobufReader::take(std::uint64_t count) {
  if (count > rest_.size()) refuse("it ends within a field");
  const auto taken = rest_.substr(0, static_cast<std::size_t>(count));
  rest_.remove_prefix(taken.size());
  return taken;
}

bool ProtobufReader::next() {
  if (rest_.empty()) return false;
  const std::uint64_t key = varint();
  constexpr std::uint64_t kMaxField = (1u << 29) - 1;
  if (key >> 3 == 0 || key >> 3 > kMaxField) refuse("a field with a number that none can have");
  field_ = static_cast<std::uint32_t>(key >> 3);
  wire_ = static_cast<Wire>(key & 7);
  switch (wire_) {
    case Wire::kVarint:
      integer_ = varint();
      return true;
    case Wire::kBytes:
      bytes_ = take(varint());
      return true;
    case Wire::kFixed32:
      bytes_ = take(sizeof(std::uint32_t));
      return true;
    case Wire::kFixed64:
      bytes_ = take(sizeof(std::uint64_t));
      return true;
  }
  refuse("a field of a kind that is not in use");
}

void ProtobufReader::require(Wire wire) const {
  if (wire_ != wire) refuse("a field has another type");
}

std::uint64_t ProtobufReader::integer() const {
  require(Wire::kVarint);
  return integer_;
}

float ProtobufReader::number() const {
  require(Wire::kFixed32);
  std::uint32_t bits = 0;
  for (std::size_t i = 4; i-- > 0;) bits = bits << 8 | static_cast<unsigned char>(bytes_[i]);
  return std::bit_cast<float>(bits);
}

std::string_view ProtobufReader::bytes() const {
  require(Wire::kBytes);
  return bytes_;
}

}  // namespace mezzo
