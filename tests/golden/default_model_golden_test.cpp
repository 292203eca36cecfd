// The shipped model's networks in 16 bits against what the reference implementation recorded for
// them.
#include <gtest/gtest.h>

#include "image/codec.h"
#include "pipeline/job.h"
#include "pipeline/resolve.h"
#include "support/compare.h"
#include "support/goldens.h"
#include "support/safetensors_file.h"

namespace mezzo {
namespace {

// The recorded values do not hold their prompts: these are the README's, in order; seeds are 1,
// 2, 3.
const char* const kPrompts[] = {"a red apple", "a lion on a blue background", "a purple heart"};

void check_prompt(const Model& model, const nlohmann::json& scheduler,
                  const ModelDefaults& defaults, const test::SafetensorsFile& recorded, int k) {
  const auto name = [&](const char* what) { return std::to_string(k) + "." + what; };
  Conditioning conditioning(model);
  const auto close = [&](const std::string& prompt, const std::string& tensor) {
    const Tensor t = model.backend.download(
        conditioning(std::array{TextRequest{.prompt = {.text = prompt}}}).tokens);
    EXPECT_LE(test::error_over_std({t.data<float>(), static_cast<std::size_t>(t.numel())},
                                   recorded.values(tensor)),
              1e-4)
        << tensor;
  };
  close(kPrompts[k], name("cond"));
  close("", name("uncond"));
  const auto ids = recorded.values(name("input_ids"));
  const auto pieces = model.text->tokens(kPrompts[k]).pieces;  // without begin, end and padding
  ASSERT_LT(pieces.size() + 1, ids.size());
  for (std::size_t i = 0; i < pieces.size(); ++i) EXPECT_EQ(pieces[i].id, ids[i + 1]);

  GenerateParams request;
  request.prompts = {kPrompts[k]};
  request.rng = "cpu";
  const GenerateParams p = resolve(request, defaults);
  Job job;
  job.params = p;
  job.prompts = {{.text = p.prompts[0]}};
  job.latent_height = p.height / defaults.factor;
  job.latent_width = p.width / defaults.factor;
  const std::int64_t seed = k + 1;
  const auto draws = draws_per_picture("cpu", std::span(&seed, 1));
  Watch watch;
  int step = 0;
  watch.latents = [&](const char* what, const sampling::Latents& x) {
    if (std::string_view(what) == "init") {
      EXPECT_LE(test::error_over_std(x.to_floats(), recorded.values(name("init_latents"))), 1e-5);
    } else if (++step == 1) {
      EXPECT_LE(test::error_over_std(x.to_floats(), recorded.values(name("latents_after_step_1"))),
                1e-3);
    }
  };
  const Drawn drawn = run(job, model, conditioning, scheduler, *draws, watch);
  EXPECT_LE(test::error_over_std(drawn.latents.to_floats(), recorded.values(name("final_latents"))),
            1e-3);
  const Image theirs =
      read_image(test::shared_path("default-model/goldens/" + std::to_string(k) + ".png")).image;
  const Image picture = to_image(drawn.decoded[0]);
  ASSERT_EQ(picture.pixels.size(), theirs.pixels.size());
  int far = 0;
  for (std::size_t i = 0; i < theirs.pixels.size(); ++i) {
    EXPECT_LE(std::abs(picture.pixels[i] - theirs.pixels[i]), 2);
    far += std::abs(picture.pixels[i] - theirs.pixels[i]) > 1;
  }
  EXPECT_LE(far, 20);
}

TEST(DefaultModelGolden, EveryRecordedPrompt) {
  const auto folder = test::shared_path("default-model");
  if (folder.empty()) GTEST_SKIP() << "../shared/default-model is absent";
  const auto bundle = open_model(folder);
  const auto backend = make_cpu_backend();
  const Model model(bundle, *backend, Precision::kF32);
  const auto defaults = defaults_of(model, bundle);
  const test::SafetensorsFile recorded(folder / "goldens" / "goldens.safetensors");
  int k = 0;
  for (; recorded.has(std::to_string(k) + ".input_ids"); ++k) {
    ASSERT_LT(static_cast<std::size_t>(k), std::size(kPrompts));
    SCOPED_TRACE(kPrompts[k]);
    check_prompt(model, scheduler_config(bundle), defaults, recorded, k);
  }
  EXPECT_GT(k, 0);
}

}  // namespace
}  // namespace mezzo
