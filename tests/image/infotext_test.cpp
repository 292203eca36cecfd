#include "image/infotext.h"

#include <chrono>

#include <gtest/gtest.h>

#include "image/infotext_defaults.h"

namespace mezzo {
namespace {

TEST(Infotext, WritesKeysInTheWebUisOrder) {
  const InfotextRecipe recipe{"a cat",
                              "blurry",
                              {{"Version", "Mezzotint 0.1.0"},
                               {"Size", "512x768"},
                               {"Mask blur", "4"},
                               {"Seed", "42"},
                               {"Model", infotext_name("my: model, v1")},
                               {"VAE", ""},
                               {"Lora hashes", "x: 0123456789"},
                               {"Steps", "20"},
                               {"Sampler", "Euler a"}}};
  EXPECT_EQ(
      write_infotext(recipe),
      "a cat\nNegative prompt: blurry\n"
      "Steps: 20, Sampler: Euler a, Seed: 42, Size: 512x768, Model: my_ model_ v1, Mask blur: 4, "
      "Lora hashes: \"x: 0123456789\", Version: Mezzotint 0.1.0");
  EXPECT_EQ(write_infotext({"", "", {{"Steps", "20"}}}), "Steps: 20");
  EXPECT_EQ(write_infotext({"only a prompt", "", {}}), "only a prompt");
}

TEST(Infotext, EmphasisIsAnyWeightButOne) {
  for (const auto* plain :
       {"", "a cat", "a:b", "\\(a\\)", "(a:1.0)", "[(a)]", "a)", "]", "()", "a :1.2)"})
    EXPECT_FALSE(uses_emphasis(plain)) << plain;
  for (const auto* weighted :
       {"(a)", "[a]", "(a:1.2)", "((a:1.0))", "(a", "x [b", "(a:0)", "( a : 1.5 )", "(a:-1)"})
    EXPECT_TRUE(uses_emphasis(weighted)) << weighted;
}

TEST(Infotext, WeightsBeyondEveryNumberAreWeights) {
  const std::string nines(400, '9');
  EXPECT_TRUE(uses_emphasis("(a:" + nines + ")"));
  EXPECT_TRUE(uses_emphasis("((a:" + nines + "):" + nines + ")"));
}

TEST(Infotext, TakesBytesThatAreNoText) {
  const Infotext parsed = parse_infotext("\xFF\xC3\nSteps: 20, \xFFKey: \x80, Seed: 1, Size: 1x1");
  EXPECT_EQ(parsed.prompt, "\xFF\xC3");
  EXPECT_EQ(parsed.settings_line.size(), 4u);
}

// Nothing in a text of megabytes makes reading slow: each of these has a regular expression for its
// worst case.
TEST(Infotext, TakesLinearTime) {
  constexpr std::size_t kSize = 2 << 20;
  const auto repeated = [](std::string_view piece) {
    std::string s;
    while (s.size() < kSize) s += piece;
    return s;
  };
  const auto start = std::chrono::steady_clock::now();
  for (const auto* piece : {"a", "a ", "ab:\"", "ab: \"\\\",", "(", "((a:1.0))", "[(", "\n", " ",
                            "Negative prompt:\n", ":1", "ab:1,", "\\", "\u732b"})
    parse_infotext(repeated(piece));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  EXPECT_LT(seconds.count(), 120);  // 1 s in a release build; quadratic work would take hours
}

}  // namespace
}  // namespace mezzo
