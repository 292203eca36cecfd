#include "server/multipart.h"

#include <string_view>

#include "server/http.h"

namespace mezzo::server {
namespace {

constexpr std::size_t kMaxParts = 64, kMaxBoundary = 200;

[[noreturn]] void fail_form() {
  throw ApiError(400, "usage", "the body is not a valid multipart/form-data form");
}

std::string boundary_of(const std::string& type) {
  constexpr std::string_view kKey = "boundary=";
  const auto at = type.find(kKey);
  if (at == type.npos) fail_form();
  std::string boundary = type.substr(at + kKey.size());
  boundary.resize(std::min(boundary.find(';'), boundary.size()));
  if (boundary.size() >= 2 && boundary.front() == '"' && boundary.back() == '"')
    boundary = boundary.substr(1, boundary.size() - 2);
  if (boundary.empty() || boundary.size() > kMaxBoundary) fail_form();
  return boundary;
}

/// The name="..." of Content-Disposition.
std::string name_of(std::string_view head) {
  constexpr std::string_view kKey = " name=\"";
  const auto at = head.find(kKey);
  if (at == head.npos) fail_form();
  const auto begin = at + kKey.size();
  const auto end = head.find('"', begin);
  if (end == head.npos) fail_form();
  return std::string(head.substr(begin, end - begin));
}

}  // namespace

std::vector<Part> parse_multipart(const std::string& content_type, const std::string& body) {
  const std::string mark = "--" + boundary_of(content_type);
  const std::string_view text = body;
  std::vector<Part> parts;
  auto at = text.find(mark);
  if (at == text.npos) fail_form();
  for (;;) {
    at += mark.size();
    if (text.substr(at, 2) == "--") return parts;
    if (text.substr(at, 2) != "\r\n" || parts.size() == kMaxParts) fail_form();
    at += 2;
    const auto head_end = text.find("\r\n\r\n", at);
    if (head_end == text.npos) fail_form();
    const auto begin = head_end + 4;
    const auto end = text.find("\r\n" + mark, begin);
    if (end == text.npos) fail_form();
    parts.push_back(
        {name_of(text.substr(at, head_end - at)), std::string(text.substr(begin, end - begin))});
    at = end + 2;
  }
}

}  // namespace mezzo::server
