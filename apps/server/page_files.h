// The files of the web page as cmake/page.cmake put them into the program.
#pragma once

#include <span>
#include <string_view>

namespace mezzo::server {

struct PageFile {
  std::string_view path;  // "/assets/index-abc123.js"
  std::string_view etag;
  std::string_view bytes, gzip;  // gzip: empty where it saves nothing
};

/// Empty where the program was built without the page.
std::span<const PageFile> page_files();

}  // namespace mezzo::server
