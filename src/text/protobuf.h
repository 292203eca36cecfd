// Reads protocol buffers' wire format (protobuf.dev/programming-guides/encoding) of bytes that
// nobody vouches for: the fields of one message, one after the other. Nothing is copied.
#pragma once

#include <cstdint>
#include <string_view>

namespace mezzo {

class ProtobufReader {
 public:
  /// `origin` names the file in messages and must outlive the reader, as the bytes must.
  ProtobufReader(std::string_view message, std::string_view origin)
      : rest_(message), origin_(origin) {}

  /// Goes to the next field; false at the end. Throws LoadError for bytes that are no message.
  bool next();
  std::uint32_t field() const { return field_; }

  /// The value of the field, by the type its definition has. Each throws LoadError where the file
  /// has another.
  std::uint64_t integer() const;   // int32, bool, enum
  float number() const;            // float
  std::string_view bytes() const;  // string, bytes, a message

 private:
  enum class Wire : std::uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

  std::uint64_t varint();
  std::string_view take(std::uint64_t count);
  void require(Wire wire) const;
  [[noreturn]] void refuse(std::string_view why) const;

  std::string_view rest_, origin_;
  std::uint32_t field_ = 0;
  Wire wire_ = Wire::kVarint;
  std::uint64_t integer_ = 0;
  std::string_view bytes_;
};

}  // namespace mezzo
