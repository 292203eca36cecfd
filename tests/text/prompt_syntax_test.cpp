#include "text/prompt_syntax.h"

#include <gtest/gtest.h>

namespace mezzo {
namespace {

TEST(PromptSyntax, FindsWeightsAndNetworks) {
  EXPECT_EQ(unread_instruction("a (red:1.3) cat"), "(red:1.3)");
  EXPECT_EQ(unread_instruction("a (big (red: 0.5 )) cat"), "(red: 0.5 )");
  EXPECT_EQ(unread_instruction("((a cat) on a mat:1.2)"), "((a cat) on a mat:1.2)");
  EXPECT_EQ(unread_instruction("a cat <lora:style_v2:0.8>, sharp"), "<lora:style_v2:0.8>");
}

TEST(PromptSyntax, LeavesOrdinaryPunctuationAlone) {
  for (const char* prompt :
       {"", "a cat (the orange one)", "a clock (at 10:30 pm)", "ratio: 1.3) of (", "smile :)",
        "<b>bold</b>", "<lora: without an end", "(:)", "(a:.)", "(a:1.2.3)"})
    EXPECT_EQ(unread_instruction(prompt), "") << prompt;
}

}  // namespace
}  // namespace mezzo
