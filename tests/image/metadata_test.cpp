#include "image/metadata.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include "base/log.h"
#include "image/text_encoding.h"

namespace mezzo {
namespace {

using namespace std::string_literals;

Metadata read(const std::vector<PngTextChunk>& chunks, std::size_t limit = 1 << 20) {
  PngTextReader reader(limit);
  for (const auto& c : chunks) reader.read(c.type, as_byte_span(c.payload));
  return reader.take();
}

std::string deflated(const std::string& text) {
  std::string out(compressBound(text.size()), '\0');
  uLongf n = out.size();
  compress(reinterpret_cast<Bytef*>(out.data()), &n, reinterpret_cast<const Bytef*>(text.data()),
           text.size());
  return out.substr(0, n);
}

TEST(Metadata, ChunkKindFollowsTheText) {
  Metadata m;
  m.parameters = "caf\u00e9\nSteps: 20";
  m.request = "{\"prompt\": \"\u732b\"}";
  const auto chunks = png_text_chunks(m);
  ASSERT_EQ(chunks.size(), 2u);
  EXPECT_EQ(chunks[0].type, "tEXt");
  EXPECT_EQ(chunks[0].payload, "parameters\0caf\xE9\nSteps: 20"s);
  EXPECT_EQ(chunks[1].type, "iTXt");
  EXPECT_EQ(read(chunks).parameters, m.parameters);
  EXPECT_EQ(read(chunks).request, m.request);
}

TEST(Metadata, ReadsEveryKind) {
  EXPECT_EQ(read({{"tEXt", "parameters\0a\xE9"s}}).parameters, "a\u00e9");
  EXPECT_EQ(read({{"tEXt", "parameters\0a\xC3\xA9"s}}).parameters,
            "a\u00e9");  // UTF-8 against the specification
  EXPECT_EQ(read({{"zTXt", "parameters\0\0"s + deflated("long text")}}).parameters, "long text");
  EXPECT_EQ(read({{"iTXt", "parameters\0\1\0en\0Parameter\0"s + deflated("\u732b")}}).parameters,
            "\u732b");
}

TEST(Metadata, DropsDamagedTexts) {
  for (const std::string& payload :
       {""s, "parameters"s, "parameters\0"s, "parameters\0\0"s, "parameters\0\1\0"s,
        "parameters\0\0not deflate"s, "parameters\0\1\0\0"s, "parameters\0\1\7\0\0x"s})
    for (const auto* type : {"zTXt", "iTXt"})
      EXPECT_EQ(read({{type, payload}}).parameters, "") << type << " " << payload.size();
}

TEST(Metadata, LimitsWhatTextsTakeTogether) {
  const std::string bomb = "parameters\0\0"s + deflated(std::string(1000, 'a'));
  EXPECT_EQ(read({{"zTXt", bomb}}, 999).parameters, "");
  EXPECT_EQ(read({{"zTXt", bomb}}, 1000).parameters.size(), 1000u);
}

TEST(Metadata, OtherTextsCostNothing) {
  const std::string long_text(5000, 'a');
  const Metadata m = read({{"tEXt", "Comment\0"s + long_text},
                           {"zTXt", "Comment\0\0"s + deflated(long_text)},
                           {"tEXt", "parameters\0kept"s},
                           {"tEXt", "parameters\0"s + long_text},  // the first one counts
                           {"tEXt", "mezzotint\0{}"s}},
                          100);
  EXPECT_EQ(m.parameters, "kept");
  EXPECT_EQ(m.request, "{}");
}

TEST(Metadata, DamagedTextsCountAgainstTheLimit) {
  std::string cut = deflated(std::string(60'000, 'a'));
  cut.resize(cut.size() - 4);  // without its checksum
  const PngTextChunk good{"tEXt", "parameters\0"s + std::string(60'000, 'b')},
      bad{"zTXt", "mezzotint\0\0"s + cut};
  EXPECT_EQ(read({good}, 100'000).parameters.size(), 60'000u);
  EXPECT_EQ(read({bad, good}, 100'000).parameters, "");
}

TEST(Metadata, WarnsOnce) {
  int warnings = 0;
  set_log_sink([&](LogLevel, std::string_view) { ++warnings; });
  read({{"zTXt", "parameters\0\0x"s}, {"zTXt", "mezzotint\0\0x"s}, {"iTXt", "parameters\0"s}});
  set_log_sink({});
  EXPECT_EQ(warnings, 1);
}

}  // namespace
}  // namespace mezzo
