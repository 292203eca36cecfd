#include "checkpoint/float8_scales.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/error.h"
#include "checkpoint/derived_source.h"
#include "tensor/convert.h"

namespace mezzo {
namespace {

using namespace std::string_view_literals;

constexpr auto kWeight = ".weight"sv;
constexpr std::array kScales = {".scale_weight"sv, ".weight_scale"sv};
/// Of activations, and the mark that a file has scales: nothing here reads them.
constexpr std::array kIdle = {".scale_input"sv, ".input_scale"sv};
constexpr auto kMark = "scaled_fp8"sv;
constexpr std::size_t kBlock = 64;

/// A weight [rows, ...] with one scale, or one for each row.
struct Scaled {
  std::size_t weight, scale;
};

void read_scaled(const TensorSource& source, const Scaled& s, DType as, std::span<std::byte> out) {
  const TensorInfo& t = source.tensors()[s.weight];
  const auto scales = load_floats(source, s.scale);
  std::vector<std::byte> codes(t.bytes());
  source.read(s.weight, codes);
  const std::size_t row = codes.size() / static_cast<std::size_t>(t.shape[0]);
  const auto scale_at = [&](std::size_t i) {
    return scales.size() == 1 ? scales[0] : scales[i / row];
  };
  if (as == DType::kF32) {
    std::vector<float> values(codes.size());
    to_float(t.dtype, codes.data(), t.shape.numel(), values.data());
    for (std::size_t i = 0; i < values.size(); ++i) values[i] *= scale_at(i);
    std::memcpy(out.data(), values.data(), out.size());
    return;
  }
  for (std::size_t i = 0; i < codes.size(); i += kBlock) {
    std::byte* block = &out[i / kBlock * (kBlock + sizeof(float))];
    const float scale = scale_at(i);
    std::memcpy(block, &scale, sizeof(float));
    std::memcpy(block + sizeof(float), &codes[i], kBlock);
  }
}

DType scaled_type(const TensorInfo& t) {
  if (t.shape.numel() / t.shape[0] % static_cast<std::int64_t>(kBlock) != 0) return DType::kF32;
  return t.dtype == DType::kF8E4M3 ? DType::kF8E4M3Scaled : DType::kF8E5M2Scaled;
}

void check_scale(const TensorSource& source, const Scaled& s) {
  const TensorInfo &t = source.tensors()[s.weight], &scale = source.tensors()[s.scale];
  const bool number =
      scale.dtype == DType::kF32 || scale.dtype == DType::kF16 || scale.dtype == DType::kBF16;
  const auto n = scale.shape.numel();
  if (!number || (n != 1 && (n != t.shape[0] || scale.shape[0] != n)))
    fail<LoadError>("{}: {} {} is no scale for {} {}; one number, or one for each row, can be used",
                    source.origin(), scale.name, to_string(scale.shape), t.name,
                    to_string(t.shape));
}

}  // namespace

std::shared_ptr<const TensorSource> with_float8_scales(std::shared_ptr<const TensorSource> source) {
  const auto& all = source->tensors();
  std::vector<bool> hidden(all.size());
  std::vector<DerivedTensor> derived;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const TensorInfo& t = all[i];
    if (!is_float8(t.dtype) || !t.name.ends_with(kWeight) || t.shape.rank() == 0 ||
        t.shape.numel() == 0)
      continue;
    const auto layer = t.name.substr(0, t.name.size() - kWeight.size());
    for (const auto suffix : kScales) {
      const auto at = source->find(layer + std::string(suffix));
      if (at < 0) continue;
      const Scaled s = {i, static_cast<std::size_t>(at)};
      check_scale(*source, s);
      hidden[s.weight] = hidden[s.scale] = true;
      const DType as = scaled_type(t);
      derived.push_back({{t.name, as, t.shape}, [source, s, as](std::span<std::byte> out) {
                           read_scaled(*source, s, as, out);
                         }});
      break;
    }
  }
  if (derived.empty()) return source;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (all[i].name.ends_with(kMark) ||
        std::ranges::any_of(kIdle, [&](auto idle) { return all[i].name.ends_with(idle); }))
      hidden[i] = true;
  return with_derived(std::move(source), hidden, std::move(derived));
}

}  // namespace mezzo
