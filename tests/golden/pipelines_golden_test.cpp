// Every recorded run of goldens/pipelines that this build can make: text, first latents, every
// step, final latents and picture; on the diffusers folder and on each single file of the same
// checkpoint.
#include <algorithm>
#include <array>
#include <cmath>
#include <iostream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "backend/cpu/isa.h"
#include "base/json.h"
#include "image/codec.h"
#include "image/mask.h"
#include "pipeline/job.h"
#include "pipeline/resolve.h"
#include "support/compare.h"
#include "support/goldens.h"
#include "support/safetensors_file.h"

namespace mezzo {
namespace {

using nlohmann::json;
using test::SafetensorsFile;

constexpr double kText = 1e-4, kLatents = 1e-3, kAmplified = 2e-3;
constexpr int kFewPixels = 20;  // samples of a picture that may differ by 2 levels
constexpr double kPsnr16 = 30;  // decibels, of a picture made with 16-bit weights

std::vector<std::string> texts(const json& j) {
  if (j.is_string()) return {j.get<std::string>()};
  return j.get<std::vector<std::string>>();
}

/// Replays what the reference drew, in its order.
class RecordedDraws final : public Draws {
 public:
  explicit RecordedDraws(const SafetensorsFile& run) : run_(run) {}
  std::vector<float> next(std::int64_t channels, std::int64_t height, std::int64_t width) override {
    const auto name = "rng." + std::to_string(count_++);
    const auto s = run_.shape(name);
    EXPECT_EQ((std::vector<std::int64_t>{s[1], s[2], s[3]}),
              (std::vector<std::int64_t>{channels, height, width}))
        << name;
    return run_.floats(name);
  }
  sampling::NoiseSource path(double, double, std::size_t) override {
    ADD_FAILURE() << "no recorded run follows a Brownian path";
    return {};
  }
  int count() const { return count_; }

 private:
  const SafetensorsFile& run_;
  int count_ = 0;
};

struct Run {
  fs::path root;
  json j;
  SafetensorsFile values;

  explicit Run(const fs::path& file)
      : root(file.parent_path().parent_path()),
        j(read_json_file(file)),
        values(fs::path(file).replace_extension(".safetensors")) {}

  double tolerance() const { return j.value("amplification", 1.0) > 2 ? kAmplified : kLatents; }

  GenerateParams params() const {
    GenerateParams p;
    p.prompts = texts(j.at("prompt"));
    p.negative_prompt = j.contains("negative_prompt") && !j["negative_prompt"].is_null()
                            ? texts(j["negative_prompt"]).front()
                            : "";
    p.steps = j.at("steps").get<std::int64_t>();
    p.guidance = j.at("guidance_scale").get<double>();
    p.width = j.at("width").get<std::int64_t>();
    p.height = j.at("height").get<std::int64_t>();
    p.eta = j.value("eta", 0.0);
    p.clip_skip = j.value("clip_skip", 0) + 1;
    p.t5_length = j.value("max_sequence_length", 0);
    p.prompt_2 = j.value("prompt_2", "");
    p.prompt_3 = j.value("prompt_3", "");
    p.rng = "cpu";
    p.keep_unmasked = false;
    if (j.contains("image"))
      p.init = read_image(root / "inputs" / j["image"].get<std::string>()).image;
    if (j.contains("mask_image"))
      p.mask = read_image(root / "inputs" / j["mask_image"].get<std::string>()).image;
    if (j.contains("strength")) p.strength = j["strength"].get<double>();
    return p;
  }

  std::vector<fs::path> pictures() const {
    const auto stem = root / "runs" / j.at("name").get<std::string>();
    if (fs::exists(stem.string() + ".png")) return {stem.string() + ".png"};
    std::vector<fs::path> all;
    while (fs::exists(stem.string() + "_" + std::to_string(all.size()) + ".png"))
      all.emplace_back(stem.string() + "_" + std::to_string(all.size()) + ".png");
    return all;
  }
};

std::vector<float> floats(const sampling::Latents& x) { return x.to_floats(); }

/// Samples that differ by more than one level, and the largest difference.
std::pair<int, int> difference(const Image& a, const Image& b) {
  if (a.pixels.size() != b.pixels.size()) return {1 << 30, 255};
  int many = 0, most = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i) {
    const int d = std::abs(a.pixels[i] - b.pixels[i]);
    many += d > 1;
    most = std::max(most, d);
  }
  return {many, most};
}

double psnr(const Image& a, const Image& b) {
  double squares = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i)
    squares += std::pow(a.pixels[i] - b.pixels[i], 2);
  return squares == 0
             ? 99
             : 10 * std::log10(255.0 * 255.0 * static_cast<double>(a.pixels.size()) / squares);
}

void check_tokens(const Run& run, const Model& model) {
  if (!run.j.contains("token_ids_without_padding") ||
      !run.j["token_ids_without_padding"].contains("tokenizer"))
    return;
  const auto& ids = run.j["token_ids_without_padding"]["tokenizer"];
  const auto prompts = texts(run.j.at("prompt"));
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    std::vector<int> mine;
    for (const auto& piece : model.text->tokens(prompts[i]).pieces) mine.push_back(piece.id);
    auto theirs = ids["prompt"][i].get<std::vector<int>>();  // with begin and end
    ASSERT_GE(theirs.size(), 2u);
    EXPECT_EQ(mine, std::vector<int>(theirs.begin() + 1, theirs.end() - 1));
  }
}

std::vector<Prompt> prompts_of(const GenerateParams& p) {
  std::vector<Prompt> prompts;
  for (const auto& text : p.prompts) prompts.push_back(prompt_of(p, text));
  return prompts;
}

void check_text(const Run& run, const Model& model, Conditioning& conditioning,
                const GenerateParams& p) {
  const auto same = [&](const std::string& name, const Tensor& rows) {
    if (!run.values.has(name)) return;
    ASSERT_TRUE(rows.defined()) << name;
    const Tensor t = model.backend.download(rows);
    EXPECT_LE(test::error_over_std({t.data<float>(), static_cast<std::size_t>(t.numel())},
                                   run.values.values(name)),
              kText)
        << name;
  };
  const auto check = [&](const std::string& kind, const std::vector<Prompt>& prompts,
                         const TextSettings& settings) {
    std::vector<TextRequest> texts;
    for (const Prompt& prompt : prompts) texts.push_back({prompt, settings});
    const auto text = conditioning(texts);
    same("text." + kind + "prompt_embeds", text.tokens);
    same("text." + kind + "pooled_prompt_embeds", text.pooled);
  };
  auto settings = text_settings(p);
  check("", prompts_of(p), settings);
  settings.clip_skip = 1;
  check("negative_", std::vector<Prompt>(p.prompts.size(), negative_prompt_of(p)), settings);
}

/// A generator for each picture gives what the reference drew (where it had one for each, or one
/// picture).
void check_draws(const Run& run, const Job& job) {
  std::vector<std::int64_t> seeds;
  if (run.j["seed"].is_array())
    seeds = run.j["seed"].get<std::vector<std::int64_t>>();
  else if (job.batch() == 1)
    seeds = {run.j["seed"].get<std::int64_t>()};
  else
    return;
  const auto draws = draws_per_picture("cpu", seeds);
  for (int k = 0; run.values.has("rng." + std::to_string(k)); ++k) {
    const auto mine = draws->next(job.latent_channels, job.latent_height, job.latent_width);
    const auto theirs = run.values.values("rng." + std::to_string(k));
    ASSERT_EQ(mine.size(), theirs.size());
    for (std::size_t i = 0; i < mine.size(); ++i) ASSERT_NEAR(mine[i], theirs[i], 4e-6);
  }
}

struct Options {
  Precision precision = Precision::kF32;
  bool single_file = false;
};

void check_run(const Run& run, const fs::path& checkpoint, const Options& how) {
  const auto folder = run.root / run.j.at("checkpoint").get<std::string>();
  OpenOptions options;
  options.no_t5 = run.j.value("without_t5", false);
  if (how.single_file) options.config = folder;
  const auto bundle = open_model(checkpoint, options);
  const auto backend = make_cpu_backend();
  const Model model(bundle, *backend, how.precision);
  Conditioning conditioning(model);
  const GenerateParams p = resolve(run.params(), defaults_of(model, bundle));
  const Job job{.params = p,
                .prompts = prompts_of(p),
                .latent_height = p.height / model.vae->factor(),
                .latent_width = p.width / model.vae->factor(),
                .latent_channels = model.vae->latent_channels()};
  const bool exact = how.precision == Precision::kF32;
  if (exact) {
    check_tokens(run, model);
    check_text(run, model, conditioning, p);
    check_draws(run, job);
  }

  const auto steps = run.values.values("latents_after_step");
  std::size_t at = 0;
  Watch watch;
  watch.latents = [&](const char* name, const sampling::Latents& x) {
    if (!exact) return;
    if (std::string_view(name) == "init") {
      EXPECT_LE(test::error_over_std(floats(x), run.values.values("init.latents")), kText)
          << "init.latents";
      return;
    }
    ASSERT_LE(at + x.size(), steps.size()) << "more steps than the reference";
    const std::vector<double> expected(steps.begin() + static_cast<std::ptrdiff_t>(at),
                                       steps.begin() + static_cast<std::ptrdiff_t>(at + x.size()));
    EXPECT_LE(test::error_over_std(floats(x), expected), run.tolerance())
        << "after call " << at / x.size();
    at += x.size();
  };
  RecordedDraws draws(run.values);
  const Drawn drawn =
      mezzo::run(job, model, conditioning, run.j.at("scheduler_config"), draws, watch);
  if (exact) {
    EXPECT_EQ(at, steps.size()) << "as many steps as the reference";
    // The reference also draws for a last step that adds no noise.
    EXPECT_LE(static_cast<std::size_t>(draws.count()), run.j.at("random_draws_in_order").size());
    EXPECT_GE(static_cast<std::size_t>(draws.count()) + 1,
              run.j.at("random_draws_in_order").size());
    EXPECT_LE(test::error_over_std(floats(drawn.latents), run.values.values("final_latents")),
              run.tolerance())
        << "final latents";
  }
  const auto pictures = run.pictures();
  ASSERT_EQ(pictures.size(), drawn.decoded.size());
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    const Image mine = to_image(drawn.decoded[i]), theirs = read_image(pictures[i]).image;
    const auto [many, most] = difference(mine, theirs);
    // 16-bit integers too; bfloat16 is less exact.
    if (exact || (how.precision == Precision::kAuto && !cpu_multiplies_bf16())) {
      EXPECT_LE(most, 2) << pictures[i];
      EXPECT_LE(many, kFewPixels) << pictures[i];
    } else {
      EXPECT_GE(psnr(mine, theirs), kPsnr16) << pictures[i];
    }
  }
}

std::vector<fs::path> run_files() {
  std::vector<fs::path> files;
  for (const auto& root : test::golden_paths("pipelines"))
    if (fs::exists(root / "runs"))
      for (const auto& e : fs::directory_iterator(root / "runs"))
        if (e.path().extension() == ".json") files.push_back(e.path());
  std::sort(files.begin(), files.end());
  return files;
}

/// Pipelines by the class that the reference ran.
bool is_available(const Run& run) {
  constexpr std::array kPipelines = {"StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline",
                                     "StableDiffusionInpaintPipeline", "StableDiffusion3Pipeline",
                                     "StableDiffusion3Img2ImgPipeline"};
  return std::ranges::find(kPipelines, run.j.at("pipeline").get<std::string>()) != kPipelines.end();
}

void check_all(const Options& how, const std::vector<std::string>& endings) {
  std::size_t done = 0;
  for (const auto& file : run_files()) {
    SCOPED_TRACE(file.stem().string());
    const Run run(file);
    if (!is_available(run)) {
      std::cout << "missing: no " << run.j.at("pipeline").get<std::string>()
                << " in this build for " << file.stem().string() << '\n';
      continue;
    }
    for (const auto& ending : endings) {
      const auto checkpoint = run.root / (run.j.at("checkpoint").get<std::string>() + ending);
      if (!fs::exists(checkpoint)) continue;
      SCOPED_TRACE(checkpoint.filename().string());
      check_run(run, checkpoint, how);
      ++done;
    }
  }
  std::cout << done << " runs compared\n";
  if (done == 0)
    GTEST_SKIP() << "no goldens/pipelines found (tests/golden, ../shared/goldens, MEZZO_GOLDENS)";
}

TEST(PipelinesGolden, Folders) { check_all({}, {""}); }
TEST(PipelinesGolden, SingleFiles) { check_all({.single_file = true}, {".safetensors", ".ckpt"}); }
TEST(PipelinesGolden, SixteenBitWeights) { check_all({.precision = Precision::kBF16}, {""}); }
TEST(PipelinesGolden, SixteenBitProducts) { check_all({.precision = Precision::kAuto}, {""}); }

}  // namespace
}  // namespace mezzo
