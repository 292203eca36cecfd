#include <algorithm>
#include <array>
#include <optional>
#include <span>

#include "base/error.h"
#include "text/protobuf.h"
#include "text/t5_vocabulary.h"

namespace mezzo {
namespace {

constexpr std::size_t kMaxFileBytes = 16u << 20;

// Field numbers of sentencepiece_model.proto.
enum ModelField : std::uint32_t { kPieces = 1, kTrainerSpec = 2, kNormalizerSpec = 3 };
enum PieceField : std::uint32_t { kText = 1, kScore = 2, kType = 3 };
enum PieceType : std::uint64_t { kNormal = 1, kUnknown = 2, kControl = 3 };
constexpr std::uint32_t kCharsmap = 2;  // of the normalizer's

/// A setting that T5's models all have alike: another value would need another tokenizer.
struct Setting {
  std::uint32_t field;
  std::uint64_t value;
  const char* name;
};
constexpr std::array kTrainer = {
    Setting{3, 1, "model_type (1 is unigram)"},
    Setting{24, 0, "treat_whitespace_as_suffix"},
    Setting{35, 0, "byte_fallback"},
};
constexpr std::array kNormalizer = {
    Setting{3, 1, "add_dummy_prefix"},
    Setting{4, 1, "remove_extra_whitespaces"},
    Setting{5, 1, "escape_whitespaces"},
};

void check_setting(const ProtobufReader& field, std::span<const Setting> settings,
                   const std::string& origin) {
  const auto it = std::ranges::find(settings, field.field(), &Setting::field);
  if (it == settings.end() || field.integer() == it->value) return;
  fail<LoadError>("{}: {} is {}, which no tokenizer of T5 has; give the one of the T5 encoder",
                  origin, it->name, field.integer());
}

void read_piece(std::string_view message, T5Vocabulary& v, std::optional<int>& unknown,
                const std::string& origin) {
  std::string_view text;
  float score = 0;
  std::uint64_t type = kNormal;
  for (ProtobufReader field(message, origin); field.next();) {
    if (field.field() == kText) text = field.bytes();
    if (field.field() == kScore) score = field.number();
    if (field.field() == kType) type = field.integer();
  }
  const int id = static_cast<int>(v.pieces.size());
  v.add(text, static_cast<double>(score), origin);
  if (type == kUnknown) {
    if (unknown) fail<LoadError>("{}: has two unknown pieces; get another copy", origin);
    unknown = id;
  }
  if (type == kUnknown || type == kControl) v.special.push_back({std::string(text), id});
}

/// T5 was trained with a hundred tokens that no SentencePiece model lists.
void add_sentinels(T5Vocabulary& v, const std::string& origin) {
  constexpr int kSentinels = 100;
  if (std::ranges::find(v.pieces, "<extra_id_0>", &UnigramPiece::text) != v.pieces.end()) return;
  for (int i = kSentinels; i-- > 0;) {
    v.special.push_back({fmt::format("<extra_id_{}>", i), static_cast<int>(v.pieces.size())});
    v.add(v.special.back().text, 0, origin);
  }
}

}  // namespace

T5Vocabulary read_t5_spiece(std::string_view bytes, const std::string& origin) {
  if (bytes.size() > kMaxFileBytes)
    fail<LoadError>("{}: has {} bytes, more than any tokenizer of T5; get another copy", origin,
                    bytes.size());
  T5Vocabulary v;
  std::optional<int> unknown;
  for (ProtobufReader field(bytes, origin); field.next();) {
    if (field.field() == kPieces) read_piece(field.bytes(), v, unknown, origin);
    if (field.field() == kTrainerSpec)
      for (ProtobufReader setting(field.bytes(), origin); setting.next();)
        check_setting(setting, kTrainer, origin);
    if (field.field() == kNormalizerSpec)
      for (ProtobufReader setting(field.bytes(), origin); setting.next();) {
        check_setting(setting, kNormalizer, origin);
        if (setting.field() == kCharsmap) v.characters = CharacterMap(setting.bytes(), origin);
      }
  }
  if (!unknown)
    fail<LoadError>("{}: has no unknown piece; this is no SentencePiece model of T5", origin);
  v.unknown = *unknown;
  add_sentinels(v, origin);
  v.finish(origin);
  return v;
}

}  // namespace mezzo
