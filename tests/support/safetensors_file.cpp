#include "support/safetensors_file.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <span>
#include <stdexcept>

namespace mezzo::test {
namespace {

double half_to_double(std::uint16_t h) {
  const int exponent = (h >> 10) & 31;
  const double fraction = h & 1023;
  double v = 0;
  if (exponent == 31) {
    v = fraction != 0 ? NAN : INFINITY;
  } else if (exponent == 0) {
    v = std::ldexp(fraction, -24);
  } else {
    v = std::ldexp(1024 + fraction, exponent - 25);
  }
  return (h & 0x8000) != 0 ? -v : v;
}

double bfloat16_to_double(std::uint16_t h) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(h) << 16);
}

template <class Stored, class Convert>
std::vector<double> widen(std::span<const std::uint8_t> bytes, Convert convert) {
  std::vector<double> out(bytes.size() / sizeof(Stored));
  for (std::size_t i = 0; i < out.size(); ++i) {
    Stored v;
    std::memcpy(&v, bytes.data() + i * sizeof(Stored), sizeof(Stored));
    out[i] = static_cast<double>(convert(v));
  }
  return out;
}

template <class Stored>
std::vector<double> widen(std::span<const std::uint8_t> bytes) {
  return widen<Stored>(bytes, [](Stored v) { return v; });
}

}  // namespace

SafetensorsFile::SafetensorsFile(const fs::path& path) : path_(path.string()) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error(path_ + ": cannot be opened");
  data_.assign(std::istreambuf_iterator<char>(in), {});
  std::uint64_t header_size = 0;
  if (data_.size() < 8) throw std::runtime_error(path_ + ": too short");
  std::memcpy(&header_size, data_.data(), 8);
  if (header_size > data_.size() - 8) throw std::runtime_error(path_ + ": header is cut off");
  const auto header = nlohmann::json::parse(data_.begin() + 8, data_.begin() + 8 + header_size);
  for (const auto& [name, value] : header.items()) {
    if (name == "__metadata__") {
      metadata_ = value;
      continue;
    }
    Entry e{value.at("dtype"), value.at("shape"), value.at("data_offsets").at(0),
            value.at("data_offsets").at(1)};
    e.begin += 8 + header_size;
    e.end += 8 + header_size;
    if (e.begin > e.end || e.end > data_.size())
      throw std::runtime_error(path_ + ": " + name + " lies outside the file");
    entries_.emplace(name, std::move(e));
  }
}

const SafetensorsFile::Entry& SafetensorsFile::entry(const std::string& name) const {
  const auto it = entries_.find(name);
  if (it == entries_.end()) throw std::runtime_error(path_ + ": no tensor " + name);
  return it->second;
}

std::vector<std::string> SafetensorsFile::names() const {
  std::vector<std::string> out;
  for (const auto& [name, e] : entries_) out.push_back(name);
  return out;
}

std::vector<std::int64_t> SafetensorsFile::shape(const std::string& name) const {
  return entry(name).shape;
}

std::string SafetensorsFile::dtype(const std::string& name) const { return entry(name).dtype; }

std::vector<double> SafetensorsFile::values(const std::string& name) const {
  const Entry& e = entry(name);
  const std::span<const std::uint8_t> b(data_.data() + e.begin, e.end - e.begin);
  if (e.dtype == "F64") return widen<double>(b);
  if (e.dtype == "F32") return widen<float>(b);
  if (e.dtype == "F16") return widen<std::uint16_t>(b, half_to_double);
  if (e.dtype == "BF16") return widen<std::uint16_t>(b, bfloat16_to_double);
  if (e.dtype == "I64") return widen<std::int64_t>(b);
  if (e.dtype == "I32") return widen<std::int32_t>(b);
  if (e.dtype == "I16") return widen<std::int16_t>(b);
  if (e.dtype == "I8") return widen<std::int8_t>(b);
  if (e.dtype == "U8" || e.dtype == "BOOL") return widen<std::uint8_t>(b);
  throw std::runtime_error(path_ + ": " + name + " has dtype " + e.dtype + ", use bytes()");
}

std::vector<float> SafetensorsFile::floats(const std::string& name) const {
  const std::vector<double> v = values(name);
  return {v.begin(), v.end()};
}

std::vector<std::uint8_t> SafetensorsFile::bytes(const std::string& name) const {
  const Entry& e = entry(name);
  return {data_.begin() + static_cast<std::ptrdiff_t>(e.begin),
          data_.begin() + static_cast<std::ptrdiff_t>(e.end)};
}

}  // namespace mezzo::test
