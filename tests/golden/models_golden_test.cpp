// Every network of goldens/models that this build has, each case, outputs and activations, in every
// precision.
#include <iostream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "backend/cpu/isa.h"
#include "base/file.h"
#include "checkpoint/safetensors.h"
#include "models/clip/clip_text.h"
#include "models/mmdit/mmdit.h"
#include "models/t5/t5_encoder.h"
#include "models/unet/unet.h"
#include "models/vae/autoencoder_kl.h"
#include "models/vae/autoencoder_tiny.h"
#include "support/compare.h"
#include "support/goldens.h"
#include "support/safetensors_file.h"

namespace mezzo {
namespace {

using test::SafetensorsFile;

constexpr double kBf16 = 3e-2;  // outputs of 16-bit networks
constexpr double kAuto = 4e-3;  // of products of 16-bit integers
constexpr double kActivation =
    4e-3;  // recorded as float16: half a unit in the last place of the largest values
constexpr double kUNet = 2e-4, kTransformer = 1e-4, kText = 1e-4, kEncoder = 1e-4, kDecoder = 2e-4;

/// One folder: its config, recorded values, and weights built on a backend.
struct Golden {
  Golden(const fs::path& folder, Precision p)
      : config(nlohmann::json::parse(read_text_file(folder / "config.json"))),
        io(folder / "io.safetensors"),
        origin((folder / "config.json").string()),
        precision(p),
        backend(make_cpu_backend()),
        weights(open_safetensors(folder / "weights.safetensors"), *backend, p,
                folder.filename().string()) {}

  bool has(const std::string& name) const { return io.has(name); }
  Tensor tokens_or_rows(const std::string& name) const {
    return upload(io.floats(name), io.shape(name));
  }
  Tensor integers(const std::string& name) const {
    const auto values = io.values(name);
    Tensor t(host(), DType::kI32, Shape(io.shape(name)));
    std::transform(values.begin(), values.end(), t.data<std::int32_t>(),
                   [](double v) { return static_cast<std::int32_t>(v); });
    return t;
  }
  Tensor picture(const std::string& name) const {  // recorded NCHW -> NHWC
    const auto s = io.shape(name);
    return upload(test::nchw_to_nhwc(io.values(name), s), {s[0], s[2], s[3], s[1]});
  }
  Tensor upload(const std::vector<float>& v, const std::vector<std::int64_t>& shape) const {
    Tensor t(host(), DType::kF32, Shape(shape));
    std::copy(v.begin(), v.end(), t.data<float>());
    return backend->upload(t);
  }
  void expect(const Tensor& actual, const std::string& name, double f32) const {
    const double rounded = precision == Precision::kAuto && !cpu_multiplies_bf16() ? kAuto : kBf16,
                 tolerance = precision == Precision::kF32 ? f32 : std::max(rounded, f32);
    const Tensor v = backend->download(actual);
    const auto s = io.shape(name);
    auto expected = io.values(name);
    if (s.size() == 4) {
      const auto nhwc = test::nchw_to_nhwc(expected, s);
      expected.assign(nhwc.begin(), nhwc.end());
    }
    // Some activations are recorded for the first rows of a batch only.
    ASSERT_GE(static_cast<std::size_t>(v.numel()), expected.size()) << name;
    EXPECT_LE(test::error_over_std({v.data<float>(), expected.size()}, expected), tolerance)
        << name;
    ++compared;
  }
  Trace tracing(int c) const {
    return Trace([this, c](const std::string& module, const Tensor& x) {
      const auto name = "case" + std::to_string(c) + ".act." + module;
      if (has(name)) expect(x, name, kActivation);
    });
  }
  int cases(const std::string& input) const {
    int n = 0;
    while (has("case" + std::to_string(n) + ".in." + input)) ++n;
    return n;
  }

  nlohmann::json config;
  SafetensorsFile io;
  std::string origin;
  Precision precision;
  std::unique_ptr<Backend> backend;
  Weights weights;
  mutable std::size_t compared = 0;
};

/// As guidance calls a network: one picture with several texts gives, to the bit, what as many
/// pictures give that are equal. `run` takes pictures, their times and as many texts or more.
template <typename Run>
void expect_rows_shared(const Golden& g, const Tensor& sample, double time, std::int64_t texts,
                        const Run& run) {
  const Tensor one = ops::contiguous(sample.slice(0, 0, 1));
  const Tensor shared = g.backend->download(run(one, std::vector<double>(1, time)));
  const Tensor apart = g.backend->download(run(
      ops::repeat_rows(one, texts), std::vector<double>(static_cast<std::size_t>(texts), time)));
  ASSERT_EQ(shared.shape(), apart.shape());
  EXPECT_TRUE(
      std::equal(shared.data<float>(), shared.data<float>() + shared.numel(), apart.data<float>()));
}

/// What a memo keeps of the text, and what it lets layers make of several steps at once, change
/// nothing: a second call, with another picture and time, gives what a first one gives without.
/// `run` takes a picture, its time and the memo.
template <typename Run>
void expect_memo_exact(const Golden& g, const Tensor& sample, double time, const Run& run) {
  const Tensor one = ops::contiguous(sample.slice(0, 0, 1));
  Memo memo;
  memo.expect({time + 100, time, time / 2});
  run(ops::scale(one, 0.5f), time + 100, &memo);
  const Tensor kept = g.backend->download(run(one, time, &memo)),
               fresh = g.backend->download(run(one, time, nullptr));
  EXPECT_TRUE(
      std::equal(kept.data<float>(), kept.data<float>() + kept.numel(), fresh.data<float>()));
}

/// Features are used again with a large bound once two ratios of drift to change are known, and
/// with the same picture they give the same.
template <typename Run>
void expect_features_reused(const Golden& g, const Tensor& sample, const Run& run) {
  Memo memo(1e6);
  for (float factor : {0.5f, 0.7f}) run(ops::scale(sample, factor), &memo);
  const Tensor other = ops::scale(sample, 0.9f);
  const Tensor computed = g.backend->download(run(sample, &memo)),
               reused = g.backend->download(run(sample, &memo)),
               near = g.backend->download(run(other, &memo)),
               exact = g.backend->download(run(other, nullptr));
  EXPECT_EQ(memo.deep.reused(), 2);
  const auto same = [](const Tensor& a, const Tensor& b) {
    return std::equal(a.data<float>(), a.data<float>() + a.numel(), b.data<float>());
  };
  EXPECT_TRUE(same(reused, computed));
  EXPECT_FALSE(same(near, computed));  // the shallow part is always computed
  EXPECT_FALSE(same(near, exact));
}

void test_unet(const Golden& g) {
  const UNet unet(g.weights, UNetConfig::parse(g.config, g.origin));
  EXPECT_TRUE(g.weights.finish().empty());
  for (int c = 0; c < g.cases("sample"); ++c) {
    const auto in = "case" + std::to_string(c) + ".in.";
    const Tensor sample = g.picture(in + "sample");
    const auto times = g.io.values(in + "timestep");
    const Tensor text = g.tokens_or_rows(in + "encoder_hidden_states");
    g.expect(unet(sample, times, text, g.tracing(c)), "case" + std::to_string(c) + ".out.sample",
             kUNet);
    expect_rows_shared(g, sample, times[0], text.dim(0),
                       [&](const Tensor& x, const auto& t) { return unet(x, t, text); });
    expect_memo_exact(g, sample, times[0], [&](const Tensor& x, double t, Memo* memo) {
      return unet(x, {&t, 1}, {text, memo});
    });
    const auto remembering = [&](const Tensor& x, Memo* memo) {
      return unet(x, times, {text, memo});
    };
    expect_features_reused(g, sample, remembering);
  }
}

void test_mmdit(const Golden& g) {
  const MMDiT mmdit(g.weights, MMDiTConfig::parse(g.config, g.origin));
  EXPECT_TRUE(g.weights.finish().empty());
  for (int c = 0; c < g.cases("hidden_states"); ++c) {
    const auto in = "case" + std::to_string(c) + ".in.";
    const Tensor sample = g.picture(in + "hidden_states");
    const auto times = g.io.values(in + "timestep");
    const MMDiT::Text text{.tokens = g.tokens_or_rows(in + "encoder_hidden_states"),
                           .pooled = g.tokens_or_rows(in + "pooled_projections")};
    g.expect(mmdit(sample, times, text, {}, g.tracing(c)),
             "case" + std::to_string(c) + ".out.sample", kTransformer);
    expect_rows_shared(g, sample, times[0], text.tokens.dim(0),
                       [&](const Tensor& x, const auto& t) { return mmdit(x, t, text); });
    const auto remembered = [&](Memo* memo) {
      return MMDiT::Text{.tokens = text.tokens, .pooled = text.pooled, .memo = memo};
    };
    expect_memo_exact(g, sample, times[0], [&](const Tensor& x, double t, Memo* memo) {
      return mmdit(x, {&t, 1}, remembered(memo));
    });
    const auto remembering = [&](const Tensor& x, Memo* memo) {
      return mmdit(x, times, remembered(memo));
    };
    expect_features_reused(g, sample, remembering);
  }
}

void test_vae(const Golden& g) {
  const auto config = AutoencoderKLConfig::parse(g.config, g.origin);
  const VaeEncoder encoder(g.weights, config);
  const VaeDecoder decoder(g.weights, config);
  EXPECT_TRUE(g.weights.finish().empty());
  for (int c = 0; c < g.cases("image"); ++c) {
    const auto name = [&](const char* what) { return "case" + std::to_string(c) + "." + what; };
    const auto [mean, logvar] = encoder(g.picture(name("in.image")), g.tracing(c));
    g.expect(mean, name("out.mean"), kEncoder);
    g.expect(logvar, name("out.logvar"), kEncoder);
    const Tensor deviation = ops::activate(ops::scale(logvar, 0.5f), Activation::kExp);
    g.expect(ops::add(mean, ops::multiply(deviation, g.picture(name("in.posterior_noise")))),
             name("out.sampled"), kEncoder);
    g.expect(ops::scale(mean, config.scaling_factor, -config.shift_factor * config.scaling_factor),
             name("out.mode_scaled"), kEncoder);
    const Tensor latent = g.picture(name("in.latent"));
    g.expect(decoder(latent, g.tracing(c)), name("out.decoded"), kDecoder);
    g.expect(decoder(ops::scale(latent, 1 / config.scaling_factor, config.shift_factor)),
             name("out.decoded_from_scaled"), kDecoder);
  }
}

void test_tiny(const Golden& g) {
  const auto config = AutoencoderTinyConfig::parse(g.config, g.origin);
  const TinyEncoder encoder(g.weights, config);
  const TinyDecoder decoder(g.weights, config);
  EXPECT_TRUE(g.weights.finish().empty());
  for (int c = 0; c < g.cases("image"); ++c) {
    const auto name = [&](const char* what) { return "case" + std::to_string(c) + "." + what; };
    g.expect(encoder(g.picture(name("in.image"))), name("out.encoded"), kEncoder);
    g.expect(decoder(g.picture(name("in.latent"))), name("out.decoded"), kDecoder);
  }
}

void test_clip(const Golden& g) {
  const ClipText clip(g.weights, ClipTextConfig::parse(g.config, g.origin));
  EXPECT_TRUE(g.weights.finish().empty());
  for (int c = 0; c < g.cases("input_ids"); ++c) {
    const auto name = [&](const std::string& what) {
      return "case" + std::to_string(c) + "." + what;
    };
    const Tensor ids = g.integers(name("in.input_ids"));
    const auto out = clip(ids, {}, g.tracing(c));
    g.expect(out.hidden, name("out.last_hidden_state"), kText);
    g.expect(out.pooled, name("out.pooled_unprojected"), kText);
    if (g.has(name("out.text_embeds"))) g.expect(out.projected, name("out.text_embeds"), kText);
    for (int skip = 2; g.has(name("out.skip" + std::to_string(skip) + "_raw")); ++skip) {
      const auto field = name("out.skip" + std::to_string(skip));
      g.expect(clip(ids, {.skip = skip, .final_norm = false}).hidden, field + "_raw", kText);
      g.expect(clip(ids, {.skip = skip}).hidden, field + "_final_ln", kText);
    }
  }
}

void test_t5(const Golden& g) {
  const T5Encoder t5(g.weights, T5EncoderConfig::parse(g.config, g.origin));
  EXPECT_TRUE(g.weights.finish().empty());
  for (int c = 0; c < g.cases("input_ids"); ++c) {
    const auto name = [&](const char* what) { return "case" + std::to_string(c) + "." + what; };
    const Tensor ids = g.integers(name("in.input_ids"));
    g.expect(t5(ids, {}, g.tracing(c)), name("out.last_hidden_state"), kText);
    g.expect(t5(ids, g.integers(name("in.attention_mask"))), name("out.last_hidden_state_masked"),
             kText);
  }
}

/// Which network a folder holds, told from its config: {a field that only this kind has, the test}.
struct Kind {
  const char* name;
  bool (*is)(const nlohmann::json&);
  void (*test)(const Golden&);
};
const Kind kKinds[] = {
    {"UNet2DConditionModel",
     [](const nlohmann::json& j) {
       return j.contains("up_block_types") && j.contains("cross_attention_dim");
     },
     test_unet},
    {"SD3Transformer2DModel",
     [](const nlohmann::json& j) { return j.contains("joint_attention_dim"); }, test_mmdit},
    {"AutoencoderTiny",
     [](const nlohmann::json& j) { return j.contains("encoder_block_out_channels"); }, test_tiny},
    {"AutoencoderKL",
     [](const nlohmann::json& j) {
       return j.contains("latent_channels") && j.contains("use_quant_conv");
     },
     test_vae},
    {"CLIPTextModel",
     [](const nlohmann::json& j) { return j.value("model_type", "") == "clip_text_model"; },
     test_clip},
    {"T5EncoderModel", [](const nlohmann::json& j) { return j.value("model_type", "") == "t5"; },
     test_t5},
};

void test_all(Precision precision) {
  std::size_t networks = 0, values = 0;
  for (const auto& root : test::golden_paths("models"))
    for (const auto& entry : fs::directory_iterator(root)) {
      if (!fs::exists(entry.path() / "config.json")) continue;
      SCOPED_TRACE(entry.path().filename().string());
      const auto config = nlohmann::json::parse(read_text_file(entry.path() / "config.json"));
      const auto kind = std::find_if(std::begin(kKinds), std::end(kKinds),
                                     [&](const Kind& k) { return k.is(config); });
      if (kind == std::end(kKinds)) {
        std::cout << "missing: no network in this build for " << entry.path().filename().string()
                  << '\n';
        continue;
      }
      const Golden golden(entry.path(), precision);
      kind->test(golden);
      EXPECT_GT(golden.compared, 0u);
      ++networks;
      values += golden.compared;
    }
  std::cout << networks << " networks, " << values << " tensors compared\n";
  if (networks == 0)
    GTEST_SKIP() << "no goldens/models found (tests/golden, ../shared/goldens, MEZZO_GOLDENS)";
}

TEST(ModelsGolden, Float32) { test_all(Precision::kF32); }
TEST(ModelsGolden, Auto) { test_all(Precision::kAuto); }
TEST(ModelsGolden, Sixteen) { test_all(Precision::kBF16); }

}  // namespace
}  // namespace mezzo
