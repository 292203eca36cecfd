// Writes a model as one self-contained GGUF.
#include <map>

#include "base/error.h"
#include "checkpoint/bundle_gguf.h"
#include "checkpoint/gguf.h"
#include "checkpoint/inspect.h"
#include "checkpoint/require.h"
#include "mezzotint/files.h"
#include "pipeline/quality.h"
#include "pipeline/weight_types.h"

namespace mezzo {

ConvertReport convert(const std::string& model, const std::string& out,
                      const ConvertOptions& options, const RunOptions& run) {
  const auto types = WeightTypes::parse(options.weights);
  for (const auto& network : kComponentNames)
    if (types.of(network) == DType::kNF4)
      fail<UsageError>(
          "--weights {}: GGUF files have no nf4; convert to q4_k, which is as small and closer to "
          "the original (nf4 can be chosen when a model is run)",
          options.weights);
  const ModelBundle bundle = open_model(model, {.vae = options.vae,
                                                .clip = options.clip,
                                                .clip_l = options.clip_l,
                                                .clip_g = options.clip_g,
                                                .t5 = options.t5,
                                                .no_t5 = options.no_t5,
                                                .config = options.config});
  require_components(bundle);
  types.check_networks(bundle);
  std::error_code ignored;
  if (fs::exists(out, ignored) && !options.overwrite)
    fail<UsageError>("{} exists already; choose another name or allow overwriting (--overwrite)",
                     out);
  if (fs::equivalent(model, out, ignored))
    fail<UsageError>("{} would be written over itself; choose another name", out);

  ConvertReport report;
  std::map<std::string, int> written;
  report.bytes_in = bytes_on_disk(bundle);
  int done = 0;
  const auto choose = [&](const std::string& network, const TensorInfo& t) {
    if (run.stop.stop_requested()) fail<Cancelled>("cancelled; {} was not written", out);
    if (run.progress) run.progress({.phase = Phase::kLoad, .step = ++done});
    const auto can_hold = [&](DType own) { return GgufWriter::can_hold(own, t.shape); };
    const auto wanted = types.of(network);
    const bool stays = !wanted && is_quantized(t.dtype) && can_hold(t.dtype);
    const DType type = stays ? t.dtype : stored_type(t, wanted.value_or(DType::kF16), can_hold);
    ++written[std::string(name(type))];
    return type;
  };
  write_bundle(bundle, out, choose);
  report.bytes_out = fs::file_size(out);
  report.dtypes.assign(written.begin(), written.end());
  if (options.quality) report.quality = compare_weights(bundle, open_model(out), types, run);
  return report;
}

}  // namespace mezzo
