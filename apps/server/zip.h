// A ZIP archive of files that are compressed already: stored as they are. PKWARE's APPNOTE 6.3.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mezzo::server {

class Zip {
 public:
  /// name: UTF-8, with '/' between folders.
  void add(std::string_view name, std::string_view bytes);
  std::size_t size() const { return files_.size(); }
  std::string finish();

 private:
  std::string files_, directory_;
  std::uint16_t count_ = 0;
};

}  // namespace mezzo::server
