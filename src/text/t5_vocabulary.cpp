#include "text/t5_vocabulary.h"

#include <cmath>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "text/embedded.h"

extern "C" const unsigned char mezzo_t5_spiece[];
extern "C" const unsigned long long mezzo_t5_spiece_size;

namespace mezzo {

void T5Vocabulary::add(std::string_view text, double score, const std::string& origin) {
  constexpr std::size_t kMaxPieces = 1 << 18, kMaxPieceBytes = 256;
  const auto id = pieces.size();
  if (id >= kMaxPieces)
    fail<LoadError>("{}: more than {} pieces; this is no tokenizer of T5", origin, kMaxPieces);
  if (text.empty() || text.size() > kMaxPieceBytes || !is_utf8(text))
    fail<LoadError>("{}: piece {} is not a text of 1 to {} bytes; get another copy", origin, id,
                    kMaxPieceBytes);
  if (!std::isfinite(score))
    fail<LoadError>("{}: the score of piece {} is not a number; get another copy", origin, id);
  pieces.push_back({std::string(text), score});
}

void T5Vocabulary::finish(const std::string& origin) {
  std::unordered_map<std::string_view, int> ids;
  for (const auto& piece : pieces)
    if (!ids.emplace(piece.text, static_cast<int>(ids.size())).second)
      fail<LoadError>("{}: the piece {} is there twice; get another copy", origin,
                      piece.text.substr(0, 64));
  const auto id_of = [&](std::string_view token) {
    const auto it = ids.find(token);
    if (it == ids.end())
      fail<LoadError>("{}: has no {} token; this is no tokenizer of T5", origin, token);
    return it->second;
  };
  end = id_of("</s>");
  pad = id_of("<pad>");
}

std::string built_in_t5_spiece() { return inflate_embedded(mezzo_t5_spiece, mezzo_t5_spiece_size); }

}  // namespace mezzo
