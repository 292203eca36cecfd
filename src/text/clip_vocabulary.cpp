#include "text/clip_vocabulary.h"

#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "base/utf8.h"
#include "text/embedded.h"

extern "C" const unsigned char mezzo_clip_merges[];
extern "C" const unsigned long long mezzo_clip_merges_size;

namespace mezzo {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxTokens = 1 << 20;
constexpr std::size_t kMaxTokenBytes = 1024;
constexpr std::size_t kMaxFileBytes = 16u << 20;

json parse_object(std::string_view text, const char* file, const std::string& origin) {
  if (text.size() > kMaxFileBytes)
    fail<LoadError>("{}: {} has {} bytes, more than any CLIP tokenizer; get another copy", origin,
                    file, text.size());
  const std::string what = fmt::format("{}: {}", origin, file);
  json value = parse_json(text, what);
  if (!value.is_object()) fail<LoadError>("{}: is not a JSON object; get another copy", what);
  return value;
}

void read_vocab(std::string_view text, ClipVocabulary& out, const std::string& origin) {
  const json vocab = parse_object(text, "vocab.json", origin);
  const std::size_t n = vocab.size();
  if (n < 3 || n > kMaxTokens)
    fail<LoadError>("{}: vocab.json has {} tokens; a CLIP tokenizer has 3 to {}", origin, n,
                    kMaxTokens);
  out.tokens.resize(n);
  std::vector<bool> seen(n);
  for (const auto& [token, id] : vocab.items()) {
    const bool whole = id.is_number_unsigned() && id.get<std::uint64_t>() < n;
    const std::size_t i = whole ? id.get<std::size_t>() : 0;
    if (!whole || seen[i] || token.empty() || token.size() > kMaxTokenBytes)
      fail<LoadError>("{}: vocab.json: the ids must be 0 to {}, each once, but the token {} has {}",
                      origin, n - 1, token.substr(0, 64), id.dump(-1, ' ', true).substr(0, 64));
    seen[i] = true;
    out.tokens[i] = token;
    out.ids.emplace(token, static_cast<int>(i));
  }
}

/// A special token: its text, or an object with its "content". Left as it is where the file does
/// not name it.
void read_special(const json& config, const char* key, std::string& token) {
  const auto it = config.find(key);
  if (it == config.end()) return;
  if (it->is_string()) token = it->get<std::string>();
  if (!it->is_object()) return;
  const auto content = it->find("content");
  if (content != it->end() && content->is_string()) token = content->get<std::string>();
}

void read_config(std::string_view text, const char* file, ClipVocabulary& out,
                 const std::string& origin) {
  if (text.empty()) return;
  const json config = parse_object(text, file, origin);
  read_special(config, "bos_token", out.begin);
  read_special(config, "eos_token", out.end);
  read_special(config, "pad_token", out.pad);
}

void add(ClipVocabulary& v, std::string token) {
  v.ids.emplace(token, static_cast<int>(v.tokens.size()));
  v.tokens.push_back(std::move(token));
}

}  // namespace

ClipVocabulary read_clip_vocabulary(const ClipTokenizerFiles& files) {
  ClipVocabulary v;
  read_vocab(files.vocab, v, files.origin);
  read_config(files.special_tokens, "special_tokens_map.json", v, files.origin);
  read_config(files.config, "tokenizer_config.json", v, files.origin);
  return v;
}

std::string built_in_clip_merges() {
  return inflate_embedded(mezzo_clip_merges, mezzo_clip_merges_size);
}

ClipVocabulary vocabulary_of_merges(std::string_view merges) {
  ClipVocabulary v;
  // Bytes stand in the order of their characters: the printable ones first, then those that were
  // moved.
  for (const bool moved : {false, true})
    for (std::size_t b = 0; b < 256; ++b)
      if (const char32_t c = byte_characters()[b]; (c >= 256) == moved) {
        std::string token;
        append_utf8(token, c);
        add(v, std::move(token));
      }
  for (std::size_t b = 0; b < 256; ++b) add(v, v.tokens[b] + std::string(kEndOfWord));
  for (bool first = true; !merges.empty(); first = false) {
    const std::string_view line = merges.substr(0, merges.find('\n'));
    merges.remove_prefix(line.size() + 1);
    if (first) continue;  // the version
    const auto space = line.find(' ');
    add(v, std::string(line.substr(0, space)) + std::string(line.substr(space + 1)));
  }
  add(v, v.begin);
  add(v, v.end);
  return v;
}

}  // namespace mezzo
