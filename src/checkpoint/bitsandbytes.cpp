#include "checkpoint/bitsandbytes.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "base/checked.h"
#include "base/config.h"
#include "base/json.h"
#include "checkpoint/derived_source.h"
#include "checkpoint/file_tensors.h"
#include "tensor/blocks.h"
#include "tensor/convert.h"

namespace mezzo {
namespace {

using namespace std::string_view_literals;

constexpr auto kState = ".quant_state.bitsandbytes__"sv;
constexpr std::uint64_t kMaxState = 64 << 10;  // bytes of a description; real ones have 200
constexpr std::int64_t kBlock = 64;            // values in a block of ours
constexpr std::int64_t kMaxBlock = 4096;       // the library's largest

struct Kind {
  std::string_view name;
  DType dtype;
  const std::array<float, 16>& codes;
};
constexpr std::array kKinds = {Kind{"nf4", DType::kNF4, kNF4Codes},
                               Kind{"fp4", DType::kFP4, kFP4Codes}};

/// Factors that are codes themselves.
struct Nested {
  std::size_t absmax, map;  // tensors
  std::int64_t block = 256;
  float offset = 0;
};

struct FourBit {
  std::string name;
  const Kind* kind = nullptr;
  Shape shape;
  std::int64_t block = kBlock;
  std::size_t codes = 0, absmax = 0;  // tensors
  std::optional<Nested> nested;
};

/// Reads and checks the description of one tensor.
class StateReader {
 public:
  StateReader(const TensorSource& source, std::size_t state) : source_(source) {
    const std::string& name = source.tensors()[state].name;
    const auto at = name.find(kState);
    weight_.name = name.substr(0, at);
    what_ = source.origin() + ": " + weight_.name;
    json_ = parse_json(text_of(state), what_ + " (quantisation state)");
  }

  FourBit read() {
    const ConfigReader state(json_, what_ + " (quantisation state)");
    const auto kind = state.text("quant_type", std::nullopt);
    const auto row = std::ranges::find(kKinds, kind, &Kind::name);
    if (row == kKinds.end()) reject("has the unknown quant_type \"" + kind.substr(0, 20) + "\"");
    weight_.kind = &*row;
    weight_.block = state.integer("blocksize", std::nullopt, 1, kMaxBlock);
    if (weight_.block % kBlock != 0) reject("has blocks that are no multiple of 64");
    weight_.shape = shape();
    const std::int64_t values = weight_.shape.numel();
    weight_.codes = tensor("", DType::kU8, ceil_div<std::int64_t>(values, 2));
    check_map();
    const std::int64_t blocks = ceil_div(values, weight_.block);
    const auto absmax = source_.find(weight_.name + ".absmax");
    const bool nested = absmax >= 0 && at(absmax).dtype == DType::kU8;
    weight_.absmax = tensor(".absmax", nested ? DType::kU8 : DType::kF32, blocks);
    if (nested) weight_.nested = read_nested(state, blocks);
    return weight_;
  }

 private:
  const TensorInfo& at(std::ptrdiff_t i) const {
    return source_.tensors()[static_cast<std::size_t>(i)];
  }
  [[noreturn]] void reject(const std::string& why) const {
    fail<LoadError>("{}: the 4-bit weight {}; the file is damaged, or newer than this build", what_,
                    why);
  }

  std::string text_of(std::size_t state) const {
    const TensorInfo& t = source_.tensors()[state];
    if (t.dtype != DType::kU8 || t.bytes() > kMaxState)
      reject("has a quantisation state that is no short text");
    std::string text(t.bytes(), '\0');
    source_.read(state, std::as_writable_bytes(std::span(text)));
    return text;
  }

  Shape shape() const {
    const auto it = json_.find("shape");
    if (it == json_.end() || !it->is_array()) reject("has no shape");
    std::vector<std::int64_t> dims;
    for (const auto& d : *it) {
      if (!d.is_number_unsigned() || d.get<std::uint64_t>() > (std::uint64_t{1} << 62) ||
          dims.size() == Shape::kMaxRank)
        reject("has an impossible shape");
      dims.push_back(d.get<std::int64_t>());
    }
    if (dims.empty()) reject("has no shape");
    return checked_shape(dims, DType::kF32, what_);
  }

  /// The tensor of that name behind the weight's, with so many values of the type.
  std::size_t tensor(std::string_view part, DType dtype, std::int64_t values) const {
    const auto i = source_.find(weight_.name + std::string(part));
    if (i < 0) reject(fmt::format("lacks its tensor {}{}", weight_.name, part));
    const TensorInfo& t = at(i);
    if (t.dtype != dtype || t.shape.numel() != values)
      reject(fmt::format("needs {}{} as {} values of {}, found {} {}", weight_.name, part, values,
                         name(dtype), name(t.dtype), to_string(t.shape)));
    return static_cast<std::size_t>(i);
  }

  void check_map() const {
    if (!source_.has(weight_.name + ".quant_map")) return;
    const auto map = load_floats(source_, tensor(".quant_map", DType::kF32, 16));
    if (!std::ranges::equal(map, weight_.kind->codes))
      reject(fmt::format("has a quant_map that is not that of {}", weight_.kind->name));
  }

  Nested read_nested(const ConfigReader& state, std::int64_t blocks) const {
    Nested n{};
    n.block = state.integer("nested_blocksize", std::nullopt, 1, 1 << 20);
    n.offset = static_cast<float>(state.number("nested_offset", 0.0));
    n.absmax = tensor(".nested_absmax", DType::kF32, ceil_div(blocks, n.block));
    n.map = tensor(".nested_quant_map", DType::kF32, 256);
    return n;
  }

  const TensorSource& source_;
  std::string what_;
  nlohmann::json json_;
  FourBit weight_;
};

/// The factor of every block.
std::vector<float> factors(const TensorSource& source, const FourBit& p) {
  if (!p.nested) return load_floats(source, p.absmax);
  const auto scale = load_floats(source, p.nested->absmax),
             map = load_floats(source, p.nested->map);
  std::vector<std::byte> codes(source.tensors()[p.absmax].bytes());
  source.read(p.absmax, codes);
  std::vector<float> out(codes.size());
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = map[std::to_integer<std::size_t>(codes[i])] *
                 scale[i / static_cast<std::size_t>(p.nested->block)] +
             p.nested->offset;
  return out;
}

void read_blocks(const TensorSource& source, const FourBit& p, std::span<std::byte> out) {
  const auto absmax = factors(source, p);
  std::vector<std::byte> codes(source.tensors()[p.codes].bytes());
  source.read(p.codes, codes);
  constexpr std::size_t kCodes = kBlock / 2, kBytes = kCodes + sizeof(float);
  for (std::size_t i = 0; i < out.size() / kBytes; ++i) {
    const float factor = absmax[i * kBlock / static_cast<std::size_t>(p.block)];
    std::memcpy(&out[i * kBytes], &factor, sizeof(float));
    std::memcpy(&out[i * kBytes + sizeof(float)], &codes[i * kCodes], kCodes);
  }
}

void read_floats(const TensorSource& source, const FourBit& p, std::span<std::byte> out) {
  const auto absmax = factors(source, p);
  std::vector<std::byte> codes(source.tensors()[p.codes].bytes());
  source.read(p.codes, codes);
  for (std::size_t i = 0; i < out.size() / sizeof(float); ++i) {
    const auto byte = std::to_integer<std::size_t>(codes[i / 2]);
    const float v = p.kind->codes[i % 2 ? byte & 15 : byte >> 4] *
                    absmax[i / static_cast<std::size_t>(p.block)];
    std::memcpy(&out[i * sizeof(float)], &v, sizeof(float));
  }
}

DerivedTensor derive(const std::shared_ptr<const TensorSource>& source, const FourBit& p) {
  const std::int64_t row = p.shape.numel() == 0 ? 1 : p.shape.numel() / p.shape[0];
  const bool whole = row % kBlock == 0;
  return {{p.name, whole ? p.kind->dtype : DType::kF32, p.shape},
          [source, p, read = whole ? read_blocks : read_floats](std::span<std::byte> out) {
            read(*source, p, out);
          }};
}

}  // namespace

std::shared_ptr<const TensorSource> with_bitsandbytes(std::shared_ptr<const TensorSource> source) {
  const auto& all = source->tensors();
  std::vector<bool> hidden(all.size());
  std::vector<DerivedTensor> derived;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].name.find(kState) == std::string::npos) continue;
    const FourBit p = StateReader(*source, i).read();
    hidden[i] = true;
    for (const auto part :
         {""sv, ".absmax"sv, ".quant_map"sv, ".nested_absmax"sv, ".nested_quant_map"sv})
      if (const auto at = source->find(p.name + std::string(part)); at >= 0)
        hidden[static_cast<std::size_t>(at)] = true;
    derived.push_back(derive(source, p));
  }
  if (derived.empty()) return source;
  return with_derived(std::move(source), hidden, std::move(derived));
}

}  // namespace mezzo
