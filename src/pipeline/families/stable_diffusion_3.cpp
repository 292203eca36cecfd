// Stable Diffusion 3 Medium, 3.5 Medium and 3.5 Large (Esser et al. 2024): an MMDiT that is told
// about the prompt by two CLIPs and, where there is one, by T5. Order, widths and paddings as in
// diffusers' StableDiffusion3Pipeline.
#include <algorithm>
#include <array>
#include <cstring>

#include "models/mmdit/mmdit.h"
#include "models/t5/t5_encoder.h"
#include "pipeline/families/families.h"
#include "text/t5_tokenizer.h"

namespace mezzo {
namespace {

constexpr int kT5Length = 256;  // tokens, padding included

/// The pad token of the second CLIP, OpenCLIP's: id 0.
constexpr const char* kOpenClipPad = "!";

struct Configs {
  MMDiTConfig transformer;
  ClipTextConfig clip_l, clip_g;
  std::optional<T5EncoderConfig> t5;
};

void check_widths(const Configs& c, const std::string& path) {
  const auto& m = c.transformer;
  const auto pooled = c.clip_l.projection_dim + c.clip_g.projection_dim;
  if (c.clip_l.hidden_size > c.clip_g.hidden_size)
    fail<LoadError>(
        "{}: its first text encoder (CLIP-L, width {}) is wider than the second (CLIP-G, width "
        "{}); exchange --clip-l and --clip-g",
        path, c.clip_l.hidden_size, c.clip_g.hidden_size);
  if (pooled != m.pooled_projection_dim ||
      c.clip_l.hidden_size + c.clip_g.hidden_size > m.joint_attention_dim)
    fail<LoadError>(
        "{}: CLIP-L and CLIP-G give {} numbers a prompt, the transformer expects {}; give the "
        "right ones with --clip-l and --clip-g",
        path, pooled, m.pooled_projection_dim);
  if (c.clip_l.max_position_embeddings != c.clip_g.max_position_embeddings)
    fail<LoadError>(
        "{}: CLIP-L reads {} tokens, CLIP-G {}; they belong to different models (give the right "
        "ones with --clip-l and --clip-g)",
        path, c.clip_l.max_position_embeddings, c.clip_g.max_position_embeddings);
  if (c.t5 && c.t5->d_model != m.joint_attention_dim)
    fail<LoadError>(
        "{}: the T5 encoder gives {} numbers a token, the transformer expects {} (T5-XXL v1.1); "
        "give the right one with --t5, or leave it out with --no-t5",
        path, c.t5->d_model, m.joint_attention_dim);
}

/// A CLIP without a projection gives its pooled output as it is.
ClipTextConfig clip_config(const ModelBundle& bundle, const std::string& name) {
  auto c = config_of<ClipTextConfig>(bundle, name);
  if (!bundle.components.at(name).weights->has("text_projection.weight"))
    c.projection_dim = c.hidden_size;
  return c;
}

Configs configs_of(const ModelBundle& bundle) {
  Configs c{.transformer = config_of<MMDiTConfig>(bundle, "transformer"),
            .clip_l = clip_config(bundle, "text_encoder"),
            .clip_g = clip_config(bundle, "text_encoder_2"),
            .t5 = {}};
  if (bundle.components.contains("text_encoder_3"))
    c.t5 = config_of<T5EncoderConfig>(bundle, "text_encoder_3");
  check_widths(c, bundle.path.string());
  return c;
}

T5Tokenizer make_t5_tokenizer(const ModelBundle& bundle, const T5EncoderConfig& t5) {
  const auto it = bundle.tokenizers.find("tokenizer_3");
  const auto file = [&](const char* name) -> std::string_view {
    const auto f = it->second.find(name);
    return f == it->second.end() ? std::string_view() : f->second;
  };
  auto tokenizer = it == bundle.tokenizers.end()
                       ? T5Tokenizer::built_in()
                       : T5Tokenizer::from_files({.spiece = file("spiece.model"),
                                                  .tokenizer_json = file("tokenizer.json"),
                                                  .origin = bundle.path.string() + "/tokenizer_3"});
  if (tokenizer.size() > t5.vocab_size)
    fail<LoadError>(
        "{}: T5's tokenizer has {} entries, its encoder {}; they belong to different models (give "
        "a folder with the right tokenizer by --config)",
        bundle.path.string(), tokenizer.size(), t5.vocab_size);
  return tokenizer;
}

// What each encoder reads.
const std::string& text_1(const Prompt& p) { return p.text; }
const std::string& text_2(const Prompt& p) { return p.text_2.empty() ? p.text : p.text_2; }
const std::string& text_3(const Prompt& p) { return p.text_3.empty() ? p.text : p.text_3; }

int t5_length(const TextSettings& s) { return s.t5_length ? s.t5_length : kT5Length; }

/// A CLIP with its tokenizer.
class Clip {
 public:
  Clip(const ModelBundle& bundle, const Loading& loading, int number)
      : text_(number == 1 ? text_1 : text_2),
        encoder_(bundle, component(number), loading, clip_config(bundle, component(number))),
        tokenizer_(tokenizer_of(bundle, encoder_.config(), number)) {}

  static ClipTokenizer tokenizer_of(const ModelBundle& bundle, const ClipTextConfig& config,
                                    int number) {
    return make_clip_tokenizer(bundle, number == 1 ? "tokenizer" : "tokenizer_2", config,
                               number == 1 ? "" : kOpenClipPad);
  }

  /// Hidden states of the layer before the last, without the final norm, and the pooled output.
  std::vector<TextEmbedding> encode(std::span<const TextRequest> requests, bool last) const {
    auto rows = encode_texts(
        requests,
        [&](const TextRequest& r) { return tokenizer_.tokenize(text_(r.prompt), limit()).ids; },
        [&](const Tensor& ids, const TextSettings& settings) -> TextEmbedding {
          const auto out =
              encoder_.network()(ids, {.skip = settings.clip_skip + 1, .final_norm = false});
          return {.tokens = out.hidden, .pooled = out.projected ? out.projected : out.pooled};
        });
    encoder_.release(last);
    return rows;
  }
  Tokens tokenize(const std::string& text) const { return tokenizer_.tokenize(text, limit()); }
  TokenReport report(const std::string& text) const {
    return token_report(tokenizer_, text, limit());
  }
  int limit() const { return static_cast<int>(encoder_.config().max_position_embeddings); }

 private:
  static std::string component(int number) {
    return number == 1 ? "text_encoder" : "text_encoder_2";
  }

  const std::string& (*text_)(const Prompt&);  // that it reads
  TextEncoder<ClipText, ClipTextConfig> encoder_;
  ClipTokenizer tokenizer_;
};

class T5 {
 public:
  T5(const ModelBundle& bundle, const Loading& loading, const T5EncoderConfig& config)
      : tokenizer_(make_t5_tokenizer(bundle, config)),
        encoder_(bundle, "text_encoder_3", loading, config) {}

  /// [1, L, D] for each. Every token is seen, the padding too.
  std::vector<TextEmbedding> encode(std::span<const TextRequest> requests, bool last) const {
    auto rows = encode_texts(
        requests,
        [&](const TextRequest& r) {
          return tokenizer_.tokenize(text_3(r.prompt), t5_length(r.settings)).ids;
        },
        [&](const Tensor& ids, const TextSettings&) -> TextEmbedding {
          return {.tokens = encoder_.network()(ids)};
        });
    encoder_.release(last);
    return rows;
  }
  Tokens tokenize(const std::string& text, int length) const {
    return tokenizer_.tokenize(text, length);
  }

 private:
  T5Tokenizer tokenizer_;
  TextEncoder<T5Encoder, T5EncoderConfig> encoder_;
};

class Sd3Conditioner final : public TextConditioner {
 public:
  Sd3Conditioner(const ModelBundle& bundle, const Loading& loading, const Configs& configs)
      : backend_(loading.backend),
        width_(configs.transformer.joint_attention_dim),
        clip_l_(bundle, loading, 1),
        clip_g_(bundle, loading, 2) {
    if (configs.t5) t5_.emplace(bundle, loading, *configs.t5);
  }

  /// tokens: [CLIP-L | CLIP-G | zeros] of every CLIP token, then T5's tokens; zeros without T5.
  std::vector<TextEmbedding> encode(std::span<const TextRequest> requests,
                                    bool last) const override {
    const auto l = clip_l_.encode(requests, last), g = clip_g_.encode(requests, last);
    const auto t5 = t5_ ? t5_->encode(requests, last) : std::vector<TextEmbedding>();
    std::vector<TextEmbedding> rows;
    for (std::size_t i = 0; i < requests.size(); ++i) {
      const auto clip = l[i].tokens.dim(1);
      Tensor tokens = zeros({1, clip + t5_length(requests[i].settings), width_});
      const auto put = [&](const Tensor& part, std::int64_t row, std::int64_t column) {
        Tensor place =
            tokens.slice(1, row, row + part.dim(1)).slice(2, column, column + part.dim(2));
        backend_.copy(part, place);
      };
      put(l[i].tokens, 0, 0);
      put(g[i].tokens, 0, l[i].tokens.dim(2));
      if (t5_) put(t5[i].tokens, clip, 0);
      rows.push_back(
          {.tokens = tokens, .pooled = ops::concat(std::array{l[i].pooled, g[i].pooled}, -1)});
    }
    return rows;
  }

  /// What T5 reads is seen, whatever the CLIPs leave out.
  std::vector<Cut> cuts(const Prompt& prompt, const TextSettings& settings) const override {
    std::vector<Cut> cuts;
    const auto add = [&](Tokens tokens, int limit) {
      if (!tokens.cut.empty()) cuts.push_back({limit, std::move(tokens.cut)});
    };
    const int words = t5_length(settings);
    if (t5_) {
      add(t5_->tokenize(text_3(prompt), words), words);
    } else {
      add(clip_l_.tokenize(prompt.text), clip_l_.limit());
      if (!prompt.text_2.empty()) add(clip_g_.tokenize(prompt.text_2), clip_g_.limit());
    }
    return cuts;
  }

  TokenReport tokens(const std::string& text) const override { return clip_l_.report(text); }

 private:
  Tensor zeros(const Shape& shape) const {
    const Tensor values(host(), DType::kF32, shape);
    if (backend_.has_data()) std::memset(values.raw(), 0, values.bytes());
    return backend_.upload(values);
  }

  Backend& backend_;
  std::int64_t width_;
  Clip clip_l_, clip_g_;
  std::optional<T5> t5_;
};

class MMDiTDenoiser final : public Denoiser {
 public:
  explicit MMDiTDenoiser(MMDiT transformer) : transformer_(std::move(transformer)) {}
  Tensor operator()(const Tensor& x, const Call& call) const override {
    const std::vector<double> times(static_cast<std::size_t>(x.dim(0)), call.timestep);
    return transformer_(x, times,
                        {.tokens = call.text.tokens, .pooled = call.text.pooled, .memo = call.memo},
                        call.skipped_layers);
  }

 private:
  MMDiT transformer_;
};

/// The published models and what their authors recommend.
struct Published {
  bool dual_attention, qk_norm;
  const char* name;
  std::int64_t steps;
  double guidance;
};
constexpr std::array kPublished = {
    Published{true, true, "SD 3.5 Medium", 40, 4.5},
    Published{false, true, "SD 3.5 Large", 28, 3.5},
    Published{false, false, "SD 3 Medium", 28, 7.0},
};

ModelDescription describe(const ModelBundle& bundle) {
  const Configs configs = configs_of(bundle);
  const MMDiTConfig& c = configs.transformer;
  ModelDescription d{.family = "Stable Diffusion 3",
                     .in_channels = c.in_channels,
                     .out_channels = c.out_channels,
                     .sample_size = c.sample_size,
                     .patch = c.patch_size,
                     .skippable_layers = c.num_layers,
                     .text_encoders = configs.t5 ? 3 : 2};
  const auto row = std::ranges::find_if(kPublished, [&](const Published& p) {
    return p.dual_attention == c.any_dual_attention() && p.qk_norm == c.qk_norm;
  });
  if (row != kPublished.end()) {
    d.family = row->name;
    d.steps = row->steps;
    d.guidance = row->guidance;
  }
  return d;
}

/// Flow matching with the shift that every published model was trained with.
nlohmann::json scheduler(const ModelBundle&) {
  return {{"_class_name", "FlowMatchEulerDiscreteScheduler"},
          {"num_train_timesteps", 1000},
          {"shift", 3.0}};
}

std::unique_ptr<TextConditioner> text_conditioner(const ModelBundle& bundle,
                                                  const Loading& loading) {
  return std::make_unique<Sd3Conditioner>(bundle, loading, configs_of(bundle));
}

std::unique_ptr<Denoiser> make_denoiser(const ModelBundle& bundle, const Loading& loading) {
  NetworkSource source(bundle, "transformer");
  source.held = loading.strategy.denoiser_held;
  return std::make_unique<MMDiTDenoiser>(
      build<MMDiT>(source, loading, configs_of(bundle).transformer));
}

TokenReport tokens(const ModelBundle& bundle, const std::string& text) {
  const auto config = clip_config(bundle, "text_encoder");
  return token_report(Clip::tokenizer_of(bundle, config, 1), text,
                      static_cast<int>(config.max_position_embeddings));
}

}  // namespace

Family stable_diffusion_3() {
  return {.denoiser = "transformer",
          .denoiser_name = "transformer",
          .describe = describe,
          .scheduler = scheduler,
          .text_conditioner = text_conditioner,
          .make_denoiser = make_denoiser,
          .tokens = tokens};
}

}  // namespace mezzo
