// Writes a model as one self-contained GGUF.
#include <algorithm>
#include <array>
#include <map>

#include <fmt/ranges.h>

#include "base/error.h"
#include "checkpoint/bundle_gguf.h"
#include "checkpoint/require.h"
#include "mezzotint/files.h"

namespace mezzo {
namespace {

/// Layers whose rounding shows most (TensorRT's exclusion list for diffusion models; reference:
/// NVIDIA Model Optimizer), and those too small to matter: they stay at 16 bits when the rest is
/// quantised.
constexpr std::array<std::string_view, 13> kSensitive = {
    "conv_in",          "conv_out",   "time_embedding",         "time_emb_proj", "conv_shortcut",
    "proj_out",         "quant_conv", "position_embedding",     "pos_embed",     "time_text_embed",
    "context_embedder", "norm_out",   "relative_attention_bias"};

bool is_sensitive(std::string_view name) {
  return std::ranges::any_of(kSensitive,
                             [&](auto part) { return name.find(part) != std::string_view::npos; });
}

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

/// "q8_0" or "unet=q8_0,vae=f16" as a type for each network; "" is the default of all.
std::map<std::string, DType, std::less<>> parse_spec(const std::string& spec) {
  std::map<std::string, DType, std::less<>> types = {{"", DType::kF16}};
  for (std::size_t at = 0; at <= spec.size() && !spec.empty();) {
    const auto end = std::min(spec.find(',', at), spec.size());
    const auto item = spec.substr(at, end - at);
    const auto eq = item.find('=');
    const auto network = eq == std::string::npos ? "" : item.substr(0, eq);
    const auto type = dtype_named(eq == std::string::npos ? item : item.substr(eq + 1));
    constexpr std::array kOffered = {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0};
    if (!type || std::ranges::find(kOffered, *type) == kOffered.end())
      fail<UsageError>(
          "--weights {}: \"{}\" is not a type to convert to; f32, f16, bf16 and q8_0 are", spec,
          item);
    types[canonical_network(network)] = *type;
    at = end + 1;
  }
  for (const auto& [network, type] : types)
    if (!network.empty() && std::ranges::find(kComponentNames, network) == kComponentNames.end())
      fail<UsageError>("--weights {}: \"{}\" is not a network; {} are", spec, network,
                       fmt::join(kComponentNames, ", "));
  return types;
}

bool is_float(DType t) {
  return t == DType::kF32 || t == DType::kF16 || t == DType::kBF16 || t == DType::kF64 ||
         is_quantized(t);
}

}  // namespace

ConvertReport convert(const std::string& model, const std::string& out,
                      const ConvertOptions& options, const RunOptions& run) {
  const auto types = parse_spec(options.weights);
  const ModelBundle bundle = open_model(model, {.vae = options.vae,
                                                .clip = options.clip,
                                                .clip_l = options.clip_l,
                                                .clip_g = options.clip_g,
                                                .t5 = options.t5,
                                                .no_t5 = options.no_t5,
                                                .config = options.config});
  require_components(bundle);
  std::error_code ignored;
  if (fs::exists(out, ignored) && !options.overwrite)
    fail<UsageError>("{} exists already; choose another name or allow overwriting (--overwrite)",
                     out);
  if (fs::equivalent(model, out, ignored))
    fail<UsageError>("{} would be written over itself; choose another name", out);

  ConvertReport report;
  std::map<std::string, int> written;
  for (const auto& [name, c] : bundle.components)
    for (const auto& t : c.weights->tensors()) report.bytes_in += t.bytes();
  int done = 0;
  const auto choose = [&](const std::string& network, const TensorInfo& t) {
    if (run.stop.stop_requested()) fail<Cancelled>("cancelled; {} was not written", out);
    if (run.progress) run.progress({.phase = Phase::kLoad, .step = ++done});
    const auto it = types.find(network);
    DType type = it == types.end() ? types.at("") : it->second;
    if (!is_float(t.dtype))
      type = t.dtype;
    else if (type == DType::kQ8_0 &&
             (t.shape.rank() < 2 || t.shape.numel() == 0 || is_sensitive(t.name) ||
              (t.shape.numel() / t.shape[0]) % 32 != 0))
      type = DType::kF16;
    ++written[std::string(name(type))];
    return type;
  };
  write_bundle(bundle, out, choose);
  report.bytes_out = fs::file_size(out);
  report.dtypes.assign(written.begin(), written.end());
  return report;
}

}  // namespace mezzo
