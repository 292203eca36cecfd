#include "server/zip.h"

#include <zlib.h>

namespace mezzo::server {
namespace {

constexpr std::uint16_t kVersion = 20, kUtf8 = 1 << 11, kStored = 0;
constexpr std::uint16_t kTime = 0, kDate = 0x21;  // 1980-01-01: the files carry their own dates

void put(std::string& out, std::uint64_t value, int bytes) {
  for (int k = 0; k < bytes; ++k) out += static_cast<char>(value >> (8 * k) & 0xFF);
}

/// What the local header and the directory's entry have in common.
std::string common(std::string_view name, std::string_view bytes) {
  const auto crc = ::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
  std::string out;
  put(out, kVersion, 2);
  put(out, kUtf8, 2);
  put(out, kStored, 2);
  put(out, kTime, 2);
  put(out, kDate, 2);
  put(out, crc, 4);
  put(out, bytes.size(), 4);
  put(out, bytes.size(), 4);
  put(out, name.size(), 2);
  put(out, 0, 2);  // no extra field
  return out;
}

}  // namespace

void Zip::add(std::string_view name, std::string_view bytes) {
  const std::size_t offset = files_.size();
  const std::string shared = common(name, bytes);
  files_ += "PK\3\4" + shared;
  files_ += name;
  files_ += bytes;
  directory_ += "PK\1\2";
  put(directory_, kVersion, 2);  // made by
  directory_ += shared;
  put(directory_, 0, 2);  // comment
  put(directory_, 0, 2);  // disk
  put(directory_, 0, 2);  // internal attributes
  put(directory_, 0, 4);  // external attributes
  put(directory_, offset, 4);
  directory_ += name;
  ++count_;
}

std::string Zip::finish() {
  std::string out = std::move(files_);
  const std::size_t at = out.size();
  out += directory_;
  out += "PK\5\6";
  put(out, 0, 4);
  put(out, count_, 2);
  put(out, count_, 2);
  put(out, directory_.size(), 4);
  put(out, at, 4);
  put(out, 0, 2);
  return out;
}

}  // namespace mezzo::server
