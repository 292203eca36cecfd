// What other programs take for instructions inside a prompt, and this one reads as words:
// "(cat:1.3)" weighs, "<lora:style:0.8>" loads (A1111's syntax).
#pragma once

#include <string_view>

namespace mezzo {

/// One such piece of the prompt as it stands there, a network before a weight; empty: none.
std::string_view unread_instruction(std::string_view prompt);

}  // namespace mezzo
