// Any bytes as a spiece.model or a tokenizer.json of T5 and a prompt behind it: a byte for the kind
// of file, a byte for the length of the prompt, the prompt, the file. Tokens of the length asked
// for, with ids of the vocabulary, or a LoadError.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "mezzotint/errors.h"
#include "text/t5_tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mezzo;
  if (size < 2) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::string_view prompt = rest.substr(0, data[1]),
                         file = rest.substr(std::min<std::size_t>(rest.size(), data[1]));
  const bool json = data[0] % 2 != 0;
  constexpr int kLength = 77;
  try {
    const auto tokenizer =
        T5Tokenizer::from_files({.spiece = json ? std::string_view() : file,
                                 .tokenizer_json = json ? file : std::string_view()});
    const Tokens tokens = tokenizer.tokenize(prompt, kLength);
    if (tokens.ids.size() != kLength) __builtin_trap();
    for (const int id : tokens.ids)
      if (id < 0 || id >= tokenizer.size()) __builtin_trap();
    tokenizer.decode(tokenizer.encode(prompt));
    tokenizer.pieces(prompt);
  } catch (const LoadError&) {
    return 0;
  }
  return 0;
}
