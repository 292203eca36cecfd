#include "text/protobuf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "text/make_spiece.h"

namespace mezzo {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

TEST(Protobuf, ReadsFieldsInOrder) {
  const std::string message = test::number_field(3, ~std::uint64_t{0}) +
                              test::float_field(2, -1.5f) + test::bytes_field(1000, "text") +
                              test::varint(9 << 3 | 1) + std::string(8, 'x') +
                              test::bytes_field(1, "");
  ProtobufReader r(message, "file");
  ASSERT_TRUE(r.next());
  EXPECT_EQ(r.field(), 3u);
  EXPECT_EQ(r.integer(), ~std::uint64_t{0});
  ASSERT_TRUE(r.next());
  EXPECT_EQ(r.number(), -1.5f);
  ASSERT_TRUE(r.next());
  EXPECT_EQ(r.field(), 1000u);
  EXPECT_EQ(r.bytes(), "text");
  ASSERT_TRUE(r.next());
  EXPECT_EQ(r.field(), 9u);
  ASSERT_TRUE(r.next());
  EXPECT_EQ(r.bytes(), "");
  EXPECT_FALSE(r.next());
}

TEST(Protobuf, RefusesWhatIsNoMessage) {
  const auto whole = [](std::string_view message) {
    for (ProtobufReader r(message, "file"); r.next();) {
    }
  };
  const std::string endless(11, '\xFF');
  for (const std::string& message :
       {std::string("\x0A"),
        std::string("\x0A\x05"
                    "abcd"),
        std::string("\x08"), std::string("\x08\xFF"), std::string("\x0D\x01\x02\x03"),
        std::string("\x09"
                    "1234567"),
        std::string("\x0B"), std::string("\x0C"), std::string("\x0E"), std::string("\x0F"),
        std::string("\x02\x00", 2), std::string(1, '\0'), endless, "\x08" + endless,
        "\x0A" + endless, "\x0A" + test::varint(~std::uint64_t{0})})
    EXPECT_THAT([&] { whole(message); }, ThrowsMessage<LoadError>(HasSubstr("file: is damaged")))
        << testing::PrintToString(message);
}

TEST(Protobuf, RefusesFieldsOfAnotherType) {
  const std::string number = test::number_field(1, 2), bytes = test::bytes_field(1, "abcd");
  ProtobufReader r(number, "file"), s(bytes, "file");
  ASSERT_TRUE(r.next() && s.next());
  EXPECT_THROW(r.bytes(), LoadError);
  EXPECT_THROW(r.number(), LoadError);
  EXPECT_THROW(s.integer(), LoadError);
  EXPECT_THROW(s.number(), LoadError);
}

}  // namespace
}  // namespace mezzo
