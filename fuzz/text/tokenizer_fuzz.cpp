// Any bytes as a tokenizer's four files and a prompt, separated by zero bytes: tokens of the length
// asked for, with ids of the vocabulary, or a LoadError or UsageError.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "mezzotint/errors.h"
#include "text/clip_tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mezzo;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  std::array<std::string_view, 5> parts;
  for (auto& part : parts) {
    part = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
  }
  const auto [vocab, merges, config, special, prompt] = parts;
  try {
    const auto tokenizer = ClipTokenizer::from_files(
        {.vocab = vocab, .merges = merges, .config = config, .special_tokens = special});
    const Tokens tokens = tokenizer.tokenize(prompt);
    if (tokens.ids.size() != ClipTokenizer::kContext) __builtin_trap();
    for (const int id : tokens.ids)
      if (id < 0 || id >= tokenizer.size()) __builtin_trap();
    tokenizer.decode(tokenizer.encode(prompt));
    tokenizer.pieces(prompt);
  } catch (const LoadError&) {
    return 0;
  } catch (const UsageError&) {
    return 0;
  }
  return 0;
}
