#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mezzotint/errors.h"
#include "text/t5_vocabulary.h"

namespace mezzo {
namespace {

using testing::HasSubstr;

std::string message(const std::string& text) {
  try {
    read_t5_json(text, "file");
  } catch (const LoadError& e) {
    return e.what();
  }
  return "";
}

const std::string kVocab =
    R"([["<pad>", 0], ["</s>", 0.0], ["<unk>", 0.0], ["▁", -2.5], ["a", -3]])";

std::string with(const std::string& vocab, const std::string& more = "",
                 const std::string& model = "\"unk_id\": 2") {
  return "{\"model\": {\"vocab\": " + vocab + ", " + model + "}" + more + "}";
}

TEST(T5VocabularyJson, ReadsPiecesAndAddedTokens) {
  const T5Vocabulary v = read_t5_json(
      with(
          kVocab,
          R"(, "normalizer": {"type": "Sequence", "normalizers": [{"type": "Strip"}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]},
                      "added_tokens": [{"id": 1, "content": "</s>"}, {"id": 5, "content": "<extra_id_0>"}])"),
      "file");
  ASSERT_EQ(v.pieces.size(), 6u);
  EXPECT_EQ(v.pieces[3].text, "▁");
  EXPECT_EQ(v.pieces[3].score, -2.5);
  EXPECT_EQ(v.unknown, 2);
  EXPECT_EQ(v.end, 1);
  ASSERT_EQ(v.special.size(), 2u);
  EXPECT_EQ(v.special[1].id, 5);
  EXPECT_EQ(v.characters.apply("①"), "①");
}

TEST(T5VocabularyJson, RefusesOtherKindsOfTokenizers) {
  EXPECT_THAT(message(with(kVocab, "", R"("type": "BPE", "unk_id": 2)")),
              HasSubstr("of another kind"));
  EXPECT_THAT(message(with(kVocab, "", R"("byte_fallback": true, "unk_id": 2)")),
              HasSubstr("of another kind"));
  EXPECT_THAT(message(with(kVocab, R"(, "normalizer": {"type": "Lowercase"})")),
              HasSubstr("normalizer Lowercase"));
  EXPECT_THAT(
      message(with(kVocab, R"(, "normalizer": {"type": "Replace", "pattern": {"String": "a"}})")),
      HasSubstr("normalizer Replace"));
  EXPECT_THAT(message(with(R"({"a": 0})")), HasSubstr("no list of pieces"));
}

TEST(T5VocabularyJson, RefusesDamagedFiles) {
  for (const auto* text : {"", "{", "\xFF", "{\"model\": "})
    EXPECT_THAT(message(text), HasSubstr("file: is no")) << text;
  for (const auto* text : {"[]", "1", "null"})
    EXPECT_THAT(message(text), HasSubstr("not a JSON object")) << text;
  for (const auto* text : {"{}", R"({"model": 1})", R"({"model": null})"})
    EXPECT_THAT(message(text), HasSubstr("has no \"model\"")) << text;
  for (const auto* row :
       {"1", "[]", "[\"a\"]", "[1, 2]", "[\"a\", \"b\"]", "[\"a\", null]", "[\"a\", 1, 2]"})
    EXPECT_THAT(message(with("[" + std::string(row) + "]")),
                HasSubstr("piece 0 is not a text and a score"))
        << row;
  EXPECT_THAT(message(with("[]")), HasSubstr("no list of pieces"));
  for (const auto* id : {"5", "-1", "null", "\"2\"", "2.5"})
    EXPECT_THAT(message(with(kVocab, "", "\"unk_id\": " + std::string(id))), HasSubstr("unk_id"))
        << id;
  EXPECT_THAT(
      message(
          with(kVocab, R"(, "normalizer": {"type": "Precompiled", "precompiled_charsmap": "?"})")),
      HasSubstr("not base64"));
  EXPECT_THAT(
      message(with(kVocab,
                   R"(, "normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"})")),
      HasSubstr("the table of characters"));
  for (const auto* added : {R"({"id": 1, "content": "x"})",
                            R"({"id": 1, "content": "</s>"}, {"id": 1, "content": "</s>"})"})
    EXPECT_THAT(message(with(kVocab, ", \"added_tokens\": [" + std::string(added) + "]")),
                HasSubstr("added token 1 contradicts"))
        << added;
  for (const auto* added : {"7", "{}", R"({"id": 9, "content": "x"})", R"({"id": 5})"})
    EXPECT_NE(message(with(kVocab, ", \"added_tokens\": [" + std::string(added) + "]")), "")
        << added;
  EXPECT_THAT(message(with(kVocab, ", \"added_tokens\": 3")), HasSubstr("is no list"));
  std::string deep = "{\"model\": ";
  for (int i = 0; i < 100000; ++i) deep += "[";
  EXPECT_THAT(message(deep), HasSubstr("nested deeper"));
}

}  // namespace
}  // namespace mezzo
