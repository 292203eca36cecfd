#include "base/base64.h"
#include "base/config.h"
#include "base/error.h"
#include "base/json.h"
#include "text/t5_vocabulary.h"

namespace mezzo {
namespace {

using nlohmann::json;

const json& object_of(const json& parent, const char* key, const std::string& origin) {
  const auto it = parent.find(key);
  if (it == parent.end() || !it->is_object())
    fail<LoadError>("{}: has no \"{}\"; this is no tokenizer of T5", origin, key);
  return *it;
}

/// Words are split at white space anyway: what only tidies that changes nothing.
bool only_tidies_spaces(const std::string& type, const json& normalizer) {
  return type == "Strip" ||
         (type == "Replace" && normalizer.value("pattern", json()) == json{{"Regex", " {2,}"}});
}

void read_normalizer(const json& normalizer, T5Vocabulary& v, const std::string& origin) {
  if (normalizer.is_null()) return;
  const ConfigReader r(normalizer, origin);
  const std::string type = r.text("type", std::nullopt);
  if (type == "Sequence" && normalizer.contains("normalizers") &&
      normalizer["normalizers"].is_array()) {
    for (const auto& one : normalizer["normalizers"]) read_normalizer(one, v, origin);
  } else if (type == "Precompiled") {
    const auto table = from_base64(r.text("precompiled_charsmap", std::nullopt));
    if (!table)
      fail<LoadError>("{}: its table of characters is not base64; get another copy", origin);
    v.characters = CharacterMap(*table, origin);
  } else if (!only_tidies_spaces(type, normalizer)) {
    fail<LoadError>("{}: the normalizer {} is none of T5's; give the one of the T5 encoder", origin,
                    type.substr(0, 64));
  }
}

void read_pieces(const json& model, T5Vocabulary& v, const std::string& origin) {
  const ConfigReader r(model, origin);
  // Old files do not name the model's type.
  if (r.text("type", "Unigram") != "Unigram" || r.boolean("byte_fallback", false))
    fail<LoadError>("{}: is a tokenizer of another kind than T5's; give the one of the T5 encoder",
                    origin);
  const auto vocab = model.find("vocab");
  if (vocab == model.end() || !vocab->is_array() || vocab->empty())
    fail<LoadError>("{}: has no list of pieces; this is no tokenizer of T5", origin);
  for (const auto& row : *vocab) {
    if (!row.is_array() || row.size() != 2 || !row[0].is_string() || !row[1].is_number())
      fail<LoadError>("{}: piece {} is not a text and a score; get another copy", origin,
                      v.pieces.size());
    v.add(row[0].get_ref<const std::string&>(), row[1].get<double>(), origin);
  }
  v.unknown = static_cast<int>(
      r.integer("unk_id", std::nullopt, 0, static_cast<std::int64_t>(v.pieces.size()) - 1));
}

/// Tokens that are pieces already, or follow behind the last of them.
void read_added(const json& added, T5Vocabulary& v, const std::string& origin) {
  if (!added.is_array()) fail<LoadError>("{}: \"added_tokens\" is no list", origin);
  std::vector<bool> seen(v.pieces.size() + added.size());
  for (const auto& token : added) {
    const ConfigReader r(token, origin);
    const auto id = static_cast<std::size_t>(
        r.integer("id", std::nullopt, 0, static_cast<std::int64_t>(v.pieces.size())));
    const std::string content = r.text("content", std::nullopt);
    if (id == v.pieces.size()) v.add(content, 0, origin);
    if (v.pieces[id].text != content || seen[id])
      fail<LoadError>("{}: the added token {} contradicts the pieces; get another copy", origin,
                      id);
    seen[id] = true;
    v.special.push_back({content, static_cast<int>(id)});
  }
}

}  // namespace

T5Vocabulary read_t5_json(std::string_view text, const std::string& origin) {
  if (text.size() > kMaxJsonFile)
    fail<LoadError>("{}: has {} bytes, more than any tokenizer of T5; get another copy", origin,
                    text.size());
  const json file = parse_json(text, origin);
  if (!file.is_object()) fail<LoadError>("{}: is not a JSON object; get another copy", origin);
  T5Vocabulary v;
  read_pieces(object_of(file, "model", origin), v, origin);
  if (file.contains("normalizer")) read_normalizer(file["normalizer"], v, origin);
  if (file.contains("added_tokens")) read_added(file["added_tokens"], v, origin);
  v.finish(origin);
  return v;
}

}  // namespace mezzo
