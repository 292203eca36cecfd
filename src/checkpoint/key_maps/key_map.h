// Renaming of tensors from a file's layout to the canonical (diffusers) names, as tables: blocks by
// their prefixes, what is inside a block by the table of its kind.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace mezzo {

/// What has to be done to the values besides giving them another name.
enum class Transform : std::uint8_t {
  kNone,
  kSqueeze1x1,  // [O, I, 1, 1] -> [O, I]: a 1x1 convolution that is a linear layer
  kTranspose,   // [I, O] -> [O, I]
  kFirst,
  kSecond,
  kThird,       // one of the three equal parts along the first dimension (fused q, k, v)
  kSwapHalves,  // [a | b] -> [b | a] along the first dimension
};

/// The rest of a name that begins with `from` begins with `to` instead. Several rows with one
/// `from`: several tensors.
struct Rename {
  std::string_view from, to;
  Transform transform = Transform::kNone;
};

struct MappedName {
  std::string name;
  Transform transform;
};

class KeyMap {
 public:
  /// Names that begin with `from` (up to a dot, or a whole name) begin with `to`; `inside` renames
  /// what follows. An empty table keeps it; where a table has no row, the name is unknown. The
  /// longest `from` decides.
  void add(std::string from, std::string to, std::span<const Rename> inside = {});

  /// The canonical names of a tensor: none when it is unknown, three for a fused one.
  std::vector<MappedName> map(std::string_view name) const;

 private:
  struct Block {
    std::string to;
    std::span<const Rename> inside;
  };
  std::unordered_map<std::string, Block> blocks_;
  std::size_t longest_ = 0;  // `from` of all
};

/// One more than the largest number that follows `path` in the names: how many layers they tell of.
int count_numbered(std::span<const std::string_view> names, std::string_view path);

/// The number at the beginning of `s` (at most three digits, followed by a dot), which is removed
/// with the dot; or -1.
int take_number(std::string_view& s);

}  // namespace mezzo
