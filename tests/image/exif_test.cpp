#include "image/exif.h"

#include <gtest/gtest.h>

#include "image/text_encoding.h"

namespace mezzo {
namespace {

using namespace std::string_literals;

Metadata recipe() {
  Metadata m;
  m.parameters = "a \u732b\nSteps: 20";
  m.request = R"({"prompt":"a cat"})";
  return m;
}

TEST(Exif, ReadsWhatItWrites) {
  const std::string block = write_exif(recipe());
  for (const std::string& bytes : {block, "Exif\0\0"s + block}) {
    const Metadata m = to_metadata(read_exif(as_byte_span(bytes)));
    EXPECT_EQ(m.parameters, recipe().parameters);
    EXPECT_EQ(m.request, recipe().request);
  }
  EXPECT_TRUE(write_exif({}).empty());
}

// One directory with the orientation, as cameras write it in either byte order.
TEST(Exif, ReadsOrientation) {
  const std::string little = "II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"s;
  const std::string big = "MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"s;
  EXPECT_EQ(read_exif(as_byte_span(little)).orientation, 6);
  EXPECT_EQ(read_exif(as_byte_span(big)).orientation, 6);
  std::string out_of_range = big;
  out_of_range[19] = 9;
  EXPECT_EQ(read_exif(as_byte_span(out_of_range)).orientation, 1);
}

TEST(Exif, ReadsOtherComments) {
  const auto comment = [](std::string value) {
    Metadata m;
    m.parameters = std::string((value.size() - 8) / 2, 'x');
    std::string block = write_exif(m);
    block.replace(block.size() - value.size(), value.size(), value);
    return read_exif(as_byte_span(block)).comment;
  };
  EXPECT_EQ(comment("ASCII\0\0\0plain!"s), "plain!");
  EXPECT_EQ(comment("UNICODE\0a\0b\0c\0"s), "abc");  // little-endian, as some programs write it
  EXPECT_EQ(comment("UNICODE\0\xFF\xFE\x2B\x73"s), "\u732b");
  EXPECT_EQ(comment("\0\0\0\0\0\0\0\0utf8 \xC3\xA9\0"s), "utf8 \u00e9");
}

// Whatever one byte or the end of the block becomes, reading stays inside it and ends.
TEST(Exif, SurvivesDamage) {
  const std::string block = write_exif(recipe());
  for (std::size_t i = 0; i < block.size(); ++i) {
    read_exif(as_byte_span(std::string(block, 0, i)));
    for (const char c : {'\0', '\x01', '\x7F', '\xFF'}) {
      std::string damaged = block;
      damaged[i] = c;
      read_exif(as_byte_span(damaged));
    }
  }
  EXPECT_EQ(read_exif(as_byte_span("no exif")).orientation, 1);
}

}  // namespace
}  // namespace mezzo
