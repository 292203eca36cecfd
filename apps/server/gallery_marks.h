// What its owner says of a picture: favourite or not, and tags. It is kept in a small file beside
// the picture, 00001-7.png.json, so that an index made again from the files knows it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace mezzo::server {

struct Marks {
  bool favourite = false;
  std::vector<std::string> tags = {};  // in order; no two differ only in the case of A to Z

  bool operator==(const Marks&) const = default;
  /// Throws ApiError (400) for the tag that would be one too many.
  void add(const std::string& tag);
  void remove(const std::string& tag);
};

/// The tag without the spaces around it. Throws ApiError (400) where it is empty, longer than 40
/// characters, or has a comma or a control character.
std::string checked_tag(const std::string& text);

std::filesystem::path marks_file(const std::filesystem::path& picture);
/// nullopt where there is no such file, or nothing in it that can be used.
std::optional<Marks> read_marks(const std::filesystem::path& picture);
/// Whole or not at all; no marks, no file. Throws DeviceError.
void write_marks(const std::filesystem::path& picture, const Marks& marks);

}  // namespace mezzo::server
