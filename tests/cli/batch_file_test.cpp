#include "cli/batch_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mezzotint/errors.h"

namespace mezzo::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> prompts(const std::vector<BatchLine>& lines) {
  std::vector<std::string> all;
  for (const BatchLine& l : lines)
    all.push_back(l.error.empty() ? l.params.prompts.at(0) : "error: " + l.error);
  return all;
}

std::vector<BatchLine> text(std::string_view content) {
  return parse_batch(content, BatchFormat::kText, {});
}
std::vector<BatchLine> csv(std::string_view content) {
  return parse_batch(content, BatchFormat::kCsv, {});
}
std::vector<BatchLine> jsonl(std::string_view content) {
  return parse_batch(content, BatchFormat::kJsonLines, {});
}

TEST(ShellWords, SplitsAsAShellDoes) {
  EXPECT_THAT(shell_words(R"(a  'b c'	"d \"e\" \\ \x" f\ g "" 'h'"i"j)"),
              ElementsAre("a", "b c", R"(d "e" \ \x)", "f g", "", "hij"));
  EXPECT_THAT(shell_words("   "), IsEmpty());
  EXPECT_THROW(shell_words("a 'b"), UsageError);
  EXPECT_THROW(shell_words("a \"b\\\""), UsageError);
}

TEST(Csv, ReadsRfc4180) {
  const auto records = parse_csv("a,\"b \"\"c\"\", d\",\r\n\r\n\"two\nlines\",x,y\nlast,,");
  ASSERT_EQ(records.size(), 3u);
  EXPECT_THAT(records[0].fields, ElementsAre("a", "b \"c\", d", ""));
  EXPECT_EQ(records[1].line, 3u);
  EXPECT_THAT(records[1].fields, ElementsAre("two\nlines", "x", "y"));
  EXPECT_EQ(records[2].line, 5u);
  EXPECT_THAT(records[2].fields, ElementsAre("last", "", ""));
  EXPECT_THROW(parse_csv("a,\"b"), UsageError);
  EXPECT_THAT(parse_csv(""), IsEmpty());
}

TEST(Text, IsAPromptALine) {
  const auto lines = text(
      "\xEF\xBB\xBF"
      "a red apple\r\n\n# a comment\n  a (blue:1.2) pear -- ripe  \n");
  EXPECT_THAT(prompts(lines), ElementsAre("a red apple", "a (blue:1.2) pear -- ripe"));
  EXPECT_EQ(lines[0].line, 1u);
  EXPECT_EQ(lines[1].line, 4u);
}

TEST(Text, ReadsTheWebUisFlags) {
  const auto lines = text(
      "--prompt \"a cat\" --negative_prompt 'ugly, \"bad\"' --seed 7 --steps 12 --cfg_scale 4.5 "
      "--width 64 --height=128 "
      "--sampler_name \"DPM++ 2M Karras\" --batch_size 2 --init_image in.png --denoising-strength "
      ".5\n");
  ASSERT_THAT(prompts(lines), ElementsAre("a cat"));
  const GenerateParams& p = lines[0].params;
  EXPECT_EQ(p.negative_prompt, "ugly, \"bad\"");
  EXPECT_EQ(p.seed, 7);
  EXPECT_EQ(p.steps, 12);
  EXPECT_EQ(p.guidance, 4.5);
  EXPECT_EQ(p.width, 64);
  EXPECT_EQ(p.height, 128);
  EXPECT_EQ(p.sampler, "DPM++ 2M Karras");
  EXPECT_EQ(p.count, 2);
  EXPECT_EQ(p.strength, 0.5);
  EXPECT_EQ(lines[0].init, "in.png");
}

TEST(Text, ABadLineDoesNotSpoilTheOthers) {
  const auto lines = text(
      "good\n--prompt x --steps 0\n--prompt 'open\n--seed 3\n--prompt x --unknown 3\n--prompt x "
      "stray\n--prompt\nalso good\n");
  ASSERT_EQ(lines.size(), 8u);
  EXPECT_THAT(lines[1].error, HasSubstr("steps"));
  EXPECT_THAT(lines[2].error, HasSubstr("quote"));
  EXPECT_THAT(lines[3].error, HasSubstr("prompt"));
  EXPECT_THAT(lines[4].error, HasSubstr("unknown"));
  EXPECT_THAT(lines[5].error, HasSubstr("stray"));
  EXPECT_THAT(lines[6].error, HasSubstr("no value"));
  EXPECT_EQ(lines[7].error, "");
  EXPECT_EQ(lines[7].line, 8u);
}

TEST(CsvLines, TakeTheirFieldsFromTheHeader) {
  const auto lines =
      csv("Prompt,CFG Scale,seed,mask\n\"a cat, sitting\",7,3,m.png\na dog,,,\na cow,1\n,,,\na "
          "pig,nan,,\n");
  ASSERT_EQ(lines.size(), 5u);
  EXPECT_EQ(lines[0].params.prompts.at(0), "a cat, sitting");
  EXPECT_EQ(lines[0].params.guidance, 7.0);
  EXPECT_EQ(lines[0].mask, "m.png");
  EXPECT_EQ(lines[1].error, "");
  EXPECT_FALSE(lines[1].params.guidance.has_value());
  EXPECT_THAT(lines[2].error, HasSubstr("2 fields"));
  EXPECT_THAT(lines[3].error, HasSubstr("prompt"));
  EXPECT_THAT(lines[4].error, HasSubstr("guidance"));
  EXPECT_THROW(csv("seed,steps\n1,2\n"), UsageError);
  EXPECT_THAT(csv(""), IsEmpty());
}

TEST(JsonLines, AreObjects) {
  const auto lines = jsonl(
      "{\"prompt\": \"a cat\", \"cfg_scale\": 3, \"init\": \"in.png\"}\n\n[1]\n{\"prompt\": "
      "3}\n{\"steps\": 3}\n"
      "{\"prompt\": \"x\", \"steps\": 0}\n{\"prompts\": [\"a\", \"b\"]}\n{\"prompt\": \"x\", "
      "\"what\": 1}\nnonsense\n");
  ASSERT_EQ(lines.size(), 8u);
  EXPECT_EQ(lines[0].error, "");
  EXPECT_EQ(lines[0].params.guidance, 3.0);
  EXPECT_EQ(lines[0].init, "in.png");
  for (std::size_t i = 1; i < lines.size(); ++i) EXPECT_NE(lines[i].error, "") << i;
  EXPECT_EQ(lines[7].line, 9u);
}

TEST(Lines, BeginAsTheDefaults) {
  GenerateParams defaults;
  set_field(defaults, "steps", "5");
  set_field(defaults, "sampler", "euler");
  for (const auto format : {BatchFormat::kText, BatchFormat::kCsv, BatchFormat::kJsonLines}) {
    const char* content = format == BatchFormat::kText  ? "--prompt x --steps 9"
                          : format == BatchFormat::kCsv ? "prompt,steps\nx,9"
                                                        : "{\"prompt\": \"x\", \"steps\": 9}";
    const auto lines = parse_batch(content, format, defaults);
    ASSERT_THAT(prompts(lines), ElementsAre("x"));
    EXPECT_EQ(lines[0].params.steps, 9);
    EXPECT_EQ(lines[0].params.sampler, "euler");
  }
}

TEST(Format, ComesFromTheExtension) {
  EXPECT_EQ(batch_format("a.TXT"), BatchFormat::kText);
  EXPECT_EQ(batch_format("a.csv"), BatchFormat::kCsv);
  EXPECT_EQ(batch_format("a.b.jsonl"), BatchFormat::kJsonLines);
  EXPECT_THROW(batch_format("prompts"), UsageError);
  EXPECT_THROW(batch_format("prompts.json"), UsageError);
}

}  // namespace
}  // namespace mezzo::cli
