#include "text/clip_vocabulary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mezzotint/errors.h"

namespace mezzo {
namespace {

using testing::HasSubstr;

std::string message(const ClipTokenizerFiles& files) {
  try {
    read_clip_vocabulary(files);
  } catch (const LoadError& e) {
    return e.what();
  }
  return "";
}

TEST(ClipVocabulary, BuiltInHasCanonicalIds) {
  const ClipVocabulary v = vocabulary_of_merges(built_in_clip_merges());
  EXPECT_EQ(v.tokens.size(), 49408u);
  EXPECT_EQ(v.ids.size(), 49408u);
  for (const auto& [token, id] : {std::pair{"!", 0},
                                  {"a", 64},
                                  {"!</w>", 256},
                                  {"a</w>", 320},
                                  {"in", 512},
                                  {"cat</w>", 2368},
                                  {"<|startoftext|>", 49406},
                                  {"<|endoftext|>", 49407}})
    EXPECT_EQ(v.ids.at(token), id) << token;
}

TEST(ClipVocabulary, ReadsSpecialTokensInEitherForm) {
  ClipTokenizerFiles files{.vocab = R"({"a": 0, "b": 2, "c": 1})"};
  files.special_tokens = R"({"bos_token": "x", "eos_token": "y", "pad_token": "z"})";
  files.config = R"({"bos_token": {"content": "a"}, "eos_token": "b", "model_max_length": 1e30})";
  const ClipVocabulary v = read_clip_vocabulary(files);
  EXPECT_THAT(v.tokens, testing::ElementsAre("a", "c", "b"));
  EXPECT_EQ(v.begin, "a");
  EXPECT_EQ(v.end, "b");
  EXPECT_EQ(v.pad, "z");
}

TEST(ClipVocabulary, RefusesBadVocabularies) {
  for (const auto* vocab : {"", "[]", "{", "{\"a\":0", "1", "\xFF"})
    EXPECT_THAT(message({.vocab = vocab}), HasSubstr("vocab.json: is no")) << vocab;
  EXPECT_THAT(message({.vocab = "{}"}), HasSubstr("has 0 tokens"));
  EXPECT_THAT(message({.vocab = R"({"a":0,"b":1,"a":2})"}), HasSubstr("occurs twice"));
  for (const auto* id : {"3", "-1", "1", "1.5", "\"2\"", "null", "18446744073709551617", "[[]]"}) {
    const std::string vocab = std::string(R"({"a":0,"b":1,"c":)") + id + "}";
    EXPECT_THAT(message({.vocab = vocab}), HasSubstr("ids must be 0 to 2")) << id;
  }
  EXPECT_THAT(message({.vocab = R"({"a":0,"b":1,"":2})"}), HasSubstr("ids must be"));
  EXPECT_THAT(message({.vocab = R"({"a":0,"b":1,"c":2})", .config = "[1]"}),
              HasSubstr("tokenizer_config.json: is not a JSON object"));
  std::string deep = "{\"x\": ";
  for (int i = 0; i < 100000; ++i) deep += "[";
  EXPECT_THAT(message({.vocab = deep}), HasSubstr("nested deeper"));
  EXPECT_THAT(message({.vocab = R"({"a":0,"b":1,"c":2})", .config = deep}),
              HasSubstr("nested deeper"));
}

}  // namespace
}  // namespace mezzo
