// What a file is, for people: the checkpoint's own report, completed by building its networks
// without data.
#include "checkpoint/inspect.h"

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "base/config.h"
#include "base/error.h"
#include "mezzotint/files.h"
#include "models/clip/clip_text.h"
#include "models/mmdit/mmdit.h"
#include "models/t5/t5_encoder.h"
#include "models/unet/unet.h"
#include "models/vae/autoencoder_kl.h"
#include "pipeline/model.h"

namespace mezzo {
namespace {

/// Sizes in one line, and what the network lacks, found by building it on a backend without data.
template <class Config, class Build, class Line>
void complete(FileReport::Network& n, const Component& c, Build&& build, Line&& line) {
  n.config_from_file = !c.config.is_null();
  const auto config = n.config_from_file ? Config::parse(c.config, n.name + "/config.json")
                                         : Config::detect(*c.weights);
  n.config = line(config);
  const auto meta = make_meta_backend();
  const Weights w(c.weights, *meta, Precision::kF32, n.name);
  build(w, config);
  n.missing = w.problems();
}

void complete_unet(FileReport::Network& n, const Component& c) {
  complete<UNetConfig>(
      n, c, [](const Weights& w, const UNetConfig& u) { UNet(w, u); },
      [](const UNetConfig& u) {
        return fmt::format("{} -> {} channels; levels of {}; heads {}; text width {}",
                           u.in_channels, u.out_channels, fmt::join(u.block_out_channels, ", "),
                           fmt::join(u.heads, ", "), u.cross_attention_dim);
      });
}

void complete_text(FileReport::Network& n, const Component& c) {
  complete<ClipTextConfig>(
      n, c, [](const Weights& w, const ClipTextConfig& t) { ClipText(w, t); },
      [](const ClipTextConfig& t) {
        return fmt::format("{} layers of width {}, {} heads; {} tokens of {}", t.num_hidden_layers,
                           t.hidden_size, t.num_attention_heads, t.max_position_embeddings,
                           t.vocab_size);
      });
}

void complete_transformer(FileReport::Network& n, const Component& c) {
  complete<MMDiTConfig>(
      n, c, [](const Weights& w, const MMDiTConfig& m) { MMDiT(w, m); },
      [](const MMDiTConfig& m) {
        return fmt::format(
            "{} -> {} channels; {} layers of width {}, {} heads{}{}; text width {}, pooled {}; up "
            "to {}x{} patches",
            m.in_channels, m.out_channels, m.num_layers, m.width(), m.num_attention_heads,
            m.qk_norm ? ", normed" : "", m.any_dual_attention() ? ", dual attention" : "",
            m.joint_attention_dim, m.pooled_projection_dim, m.pos_embed_max_size,
            m.pos_embed_max_size);
      });
}

void complete_t5(FileReport::Network& n, const Component& c) {
  complete<T5EncoderConfig>(
      n, c, [](const Weights& w, const T5EncoderConfig& t) { T5Encoder(w, t); },
      [](const T5EncoderConfig& t) {
        return fmt::format("{} layers of width {}, {} heads; vocabulary of {}", t.num_layers,
                           t.d_model, t.num_heads, t.vocab_size);
      });
}

void complete_vae(FileReport::Network& n, const Component& c) {
  if (ConfigReader(c.config, "vae config").text("_class_name", "") == "AutoencoderTiny") return;
  complete<AutoencoderKLConfig>(
      n, c,
      [](const Weights& w, const AutoencoderKLConfig& v) {
        VaeEncoder(w, v);
        VaeDecoder(w, v);
      },
      [](const AutoencoderKLConfig& v) {
        return fmt::format("{} latent channels; levels of {}; scaling {}", v.latent_channels,
                           fmt::join(v.block_out_channels, ", "), v.scaling_factor);
      });
}

struct Completer {
  std::string_view network;
  void (*complete)(FileReport::Network&, const Component&);
};
constexpr Completer kCompleters[] = {
    {"unet", complete_unet},         {"transformer", complete_transformer},
    {"text_encoder", complete_text}, {"text_encoder_2", complete_text},
    {"text_encoder_3", complete_t5}, {"vae", complete_vae}};

void complete_networks(FileReport& report, const ModelBundle& bundle) {
  for (auto& n : report.networks)
    for (const auto& [name, fill] : kCompleters) {
      if (n.name != name || !bundle.components.contains(n.name)) continue;
      try {
        fill(n, bundle.components.at(n.name));
      } catch (const LoadError& e) {
        n.usable = false;
        report.warnings.emplace_back(e.what());
      }
    }
}

}  // namespace

FileReport inspect(const std::string& path, const std::string& config) {
  const OpenOptions options{.config = config};
  const CheckpointReport c = inspect_file(path, options);
  FileReport r;
  r.path = path;
  r.kind = c.kind;
  r.family = c.family;
  r.form = c.form;
  r.advice = c.advice;
  r.error = c.problem;
  r.unknown = c.unknown;
  std::error_code no_file;
  if (fs::is_regular_file(path, no_file)) r.bytes = fs::file_size(path);
  for (const auto& call : c.pickle_calls)
    r.warnings.push_back(fmt::format("the pickle asks Python to call {} (not run)", call));
  for (const auto& part : c.components) {
    FileReport::Network n;
    n.name = part.name;
    n.parameters = static_cast<std::uint64_t>(part.parameters);
    n.bytes = part.bytes;
    for (const auto& [type, count] : part.dtypes) n.dtypes.push_back(type);
    r.networks.push_back(std::move(n));
  }
  if (r.error.empty()) {
    try {
      const ModelBundle bundle = open_model(path, options);
      r.objects = drawable_objects(bundle);
      r.bytes = bytes_on_disk(bundle);
      complete_networks(r, bundle);
    } catch (const LoadError&) {  // not a model: kind and advice already say what it is
    }
  }
  return r;
}

std::string to_json(const FileReport& r) {
  nlohmann::json networks = nlohmann::json::array();
  for (const auto& n : r.networks)
    networks.push_back({{"name", n.name},
                        {"parameters", n.parameters},
                        {"bytes", n.bytes},
                        {"dtypes", n.dtypes},
                        {"config", n.config},
                        {"config_from_file", n.config_from_file},
                        {"missing", n.missing}});
  const nlohmann::json j = {
      {"path", r.path},       {"kind", r.kind},       {"family", r.family},
      {"form", r.form},       {"bytes", r.bytes},     {"networks", networks},
      {"objects", r.objects}, {"unknown", r.unknown}, {"warnings", r.warnings},
      {"advice", r.advice},   {"error", r.error}};
  return j.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string to_json(const Plan& plan, const std::vector<PlanAlternative>& alternatives) {
  nlohmann::json phases = nlohmann::json::array();
  for (const auto& p : plan.phases)
    phases.push_back({{"name", p.name},
                      {"weights", p.weights},
                      {"activations", p.activations},
                      {"peak", p.peak},
                      {"flops", p.flops},
                      {"seconds", p.seconds}});
  nlohmann::json others = nlohmann::json::array();
  for (const auto& a : alternatives)
    others.push_back(
        {{"name", a.name}, {"what", a.what}, {"peak", a.peak}, {"seconds", a.seconds}});
  return nlohmann::json{{"phases", phases},          {"peak", plan.peak},
                        {"seconds", plan.seconds},   {"precision", plan.precision},
                        {"measures", plan.measures}, {"alternatives", others}}
      .dump(2);
}

}  // namespace mezzo
