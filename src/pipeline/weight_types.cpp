#include "pipeline/weight_types.h"

#include <algorithm>
#include <array>
#include <ranges>

#include <fmt/ranges.h>

#include "base/error.h"
#include "weights/cast_source.h"

namespace mezzo {
namespace {

constexpr std::array kOffered = {DType::kF32,  DType::kF16,  DType::kBF16, DType::kQ8_0,
                                 DType::kQ5_1, DType::kQ5_0, DType::kQ4_K, DType::kQ4_1,
                                 DType::kQ4_0, DType::kNF4};

/// What to take where rows are no whole blocks of a type.
struct Narrower {
  DType type, instead;
};
constexpr std::array kInstead = {Narrower{DType::kQ4_K, DType::kQ5_0},
                                 Narrower{DType::kNF4, DType::kQ4_0}};

/// The component that people mean by a short name.
std::string canonical_network(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kShort = {
      {{"text", "text_encoder"},
       {"clip", "text_encoder"},
       {"clip_l", "text_encoder"},
       {"clip_g", "text_encoder_2"},
       {"t5", "text_encoder_3"}}};
  const auto* row = std::ranges::find(kShort, name, [](const auto& pair) { return pair.first; });
  return std::string(row == kShort.end() ? name : row->second);
}

bool is_number(DType t) {
  return t == DType::kF32 || t == DType::kF16 || t == DType::kBF16 || t == DType::kF64 ||
         is_quantized(t) || is_float8(t);
}

double bits(DType t) { return 8.0 * info(t).bytes / info(t).block; }

bool fits(DType t, const TensorInfo& tensor) {
  return tensor.shape.numel() / tensor.shape[0] % info(t).block == 0;
}

/// As stored_type(), in memory: vectors stay as they are.
DType type_in_memory(const TensorInfo& t, DType wanted) {
  if (t.shape.rank() < 2) return t.dtype;
  return stored_type(t, wanted, [](DType) { return true; });
}

}  // namespace

WeightTypes WeightTypes::parse(const std::string& spec) {
  WeightTypes types;
  for (std::size_t at = 0; at <= spec.size() && !spec.empty();) {
    const auto end = std::min(spec.find(',', at), spec.size());
    const auto item = spec.substr(at, end - at);
    const auto eq = item.find('=');
    const auto type = dtype_named(eq == std::string::npos ? item : item.substr(eq + 1));
    if (!type || std::ranges::find(kOffered, *type) == kOffered.end()) {
      std::vector<std::string_view> offered;
      for (const DType t : kOffered) offered.push_back(name(t));
      fail<UsageError>("weights \"{}\": \"{}\" is not a type of weights; {} are", spec, item,
                       fmt::join(offered, ", "));
    }
    at = end + 1;
    if (eq == std::string::npos) {
      types.rest_ = *type;
      continue;
    }
    const auto network = canonical_network(item.substr(0, eq));
    if (std::ranges::find(kComponentNames, network) == kComponentNames.end())
      fail<UsageError>("weights \"{}\": \"{}\" is not a network; {} are, and clip, t5", spec,
                       network, fmt::join(kComponentNames, ", "));
    types.networks_[network] = *type;
  }
  return types;
}

std::optional<DType> WeightTypes::of(std::string_view network) const {
  const auto it = networks_.find(network);
  return it == networks_.end() ? rest_ : it->second;
}

DType stored_type(const TensorInfo& t, DType wanted, const std::function<bool(DType)>& can_keep) {
  if (!is_number(t.dtype)) return t.dtype;
  if (!is_quantized(wanted)) return wanted;
  const bool compact = is_quantized(t.dtype) || is_float8(t.dtype);
  const bool keeps_16_bits = t.shape.rank() < 2 || t.shape.numel() == 0 || is_sensitive(t.name);
  if (compact && (keeps_16_bits || bits(t.dtype) <= bits(wanted)) && can_keep(t.dtype))
    return t.dtype;
  if (!keeps_16_bits) {
    if (fits(wanted, t)) return wanted;
    const auto* row = std::ranges::find(kInstead, wanted, &Narrower::type);
    if (row != kInstead.end() && fits(row->instead, t)) return row->instead;
  }
  return t.dtype == DType::kBF16 ? DType::kBF16 : DType::kF16;
}

std::uint64_t weight_bytes(const TensorSource& network, std::optional<DType> wanted) {
  std::uint64_t n = 0;
  for (TensorInfo t : network.tensors()) {
    if (wanted) t.dtype = type_in_memory(t, *wanted);
    n += t.bytes();
  }
  return n;
}

void WeightTypes::check_networks(const ModelBundle& bundle) const {
  const auto has = [&](const auto& named) { return bundle.components.contains(named.first); };
  if (networks_.empty() || std::ranges::any_of(networks_, has)) return;
  fail<UsageError>("weights: {} has no {}; it has {}", bundle.path.string(),
                   networks_.begin()->first, fmt::join(std::views::keys(bundle.components), ", "));
}

void apply_weight_types(ModelBundle& bundle, const WeightTypes& types) {
  for (auto& [name, component] : bundle.components) {
    const auto type = types.of(name);
    if (!type) continue;
    component.weights =
        cast_to(component.weights, [&](const TensorInfo& t) { return type_in_memory(t, *type); });
  }
}

void keep_in_16_bits(ModelBundle& bundle) {
  for (auto& [name, component] : bundle.components)
    component.weights = cast_to(component.weights, [](const TensorInfo& t) {
      return t.dtype == DType::kF32 && t.shape.rank() > 1 ? DType::kF16 : t.dtype;
    });
}

}  // namespace mezzo
