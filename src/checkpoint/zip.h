// Reader of zip and zip64 archives as PyTorch writes them: stored members only, listed and checked,
// never extracted. What two zip readers could see differently is refused: headers that disagree,
// members that overlap, names twice.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"

namespace mezzo {

class Zip {
 public:
  struct Member {
    std::string name;
    std::uint64_t offset = 0;  // of the data, in the file
    std::uint64_t size = 0;
    bool stored = true;  // false: compressed; it has no bytes that could be used
  };

  /// Throws LoadError.
  explicit Zip(std::shared_ptr<const File> file);

  const std::vector<Member>& members() const { return members_; }  // sorted by name
  /// The member of that name, or null. Throws LoadError when it is compressed.
  const Member* find(std::string_view name) const;
  std::string read(const Member& member, std::uint64_t limit) const;

 private:
  std::shared_ptr<const File> file_;
  std::vector<Member> members_;
};

}  // namespace mezzo
