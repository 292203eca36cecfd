// multipart/form-data (RFC 7578), as browsers and OpenAI's clients send uploads.
#pragma once

#include <string>
#include <vector>

namespace mezzo::server {

struct Part {
  std::string name, bytes;
};

/// At most 64 parts. Throws ApiError (400) for anything that is no such form.
std::vector<Part> parse_multipart(const std::string& content_type, const std::string& body);

}  // namespace mezzo::server
