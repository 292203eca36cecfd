// What to draw. One field table describes every setting (name, type, range, default, help); command
// line flags, JSON, Python keywords and the documentation are made from it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "mezzotint/errors.h"
#include "mezzotint/image.h"

namespace mezzo {

/// A request. A field that is not set (no value, 0 or empty, as noted) takes the model's own
/// default.
struct GenerateParams {
  std::vector<std::string> prompts = {};  // one picture each, times `count`
  std::string negative_prompt = {};
  /// For the second (CLIP-G) and third (T5) text encoder of Stable Diffusion 3; empty: the same as
  /// for the first.
  std::string prompt_2 = {}, prompt_3 = {};
  std::string negative_prompt_2 = {}, negative_prompt_3 = {};
  std::int64_t steps = 0;               // 1..1000; 0: the model's default
  std::optional<double> guidance = {};  // classifier-free guidance scale, 0..100; <= 1: off
  double guidance_rescale = 0;          // 0..1, Lin et al. 2023
  /// Guidance from and to these shares of the steps, 0..1 (Kynkaanniemi et al. 2024); the others
  /// take half of the time.
  double guidance_start = 0, guidance_stop = 1;
  /// 0..1: an approximation that saves time. Features of the network's deep part are used again in
  /// the next steps while they are expected to be so far, relatively, from what would be computed
  /// (DeepCache, Ma et al. 2024); pictures are drawn one by one. 0: off.
  double max_drift = 0;
  /// Pixels, multiples of 8, 64..4096 (smaller where the model's own size is); 0: the model's.
  std::int64_t width = 0, height = 0;
  std::int64_t seed = -1;       // 0..2^63-1; -1: drawn at random. Picture i of a prompt: seed + i
  std::int64_t count = 1;       // pictures for each prompt, 1..1024
  std::string sampler = {};     // docs/samplers.md; empty: the model's own
  std::string schedule = {};    // karras, exponential ...; empty or "model": the model's own
  std::string spacing = {};     // leading, trailing, linspace; empty: the model's own
  std::string prediction = {};  // epsilon, v_prediction, sample; empty: the model says
  double eta = 0;               // noise of DDIM and ancestral samplers where it applies, 0..1
  std::string rng = "nv";       // nv (Philox, as on a GPU) or cpu (PyTorch's CPU generator)
  std::int64_t clip_skip = 1;   // 1: the text encoder's last layer, 2: the one before ... 12
  std::int64_t t5_length = 0;   // tokens that T5 reads, 1..512; 0: the model's (256)
  /// Skip-layer guidance (Stable Diffusion 3.5 Medium): how strongly to leave what the network
  /// predicts without `skip_layers`, 0..100; 0: off. From and to these shares of the steps, 0..1.
  double skip_layer_guidance = 0;
  std::string skip_layers = "7,8,9";
  double skip_layer_start = 0.01, skip_layer_stop = 0.2;
  /// Image-to-image and inpainting start from this picture.
  std::optional<Image> init = {};
  /// 0..1: how much of the noise schedule is run on `init`; default 0.8, with a mask 1.0.
  std::optional<double> strength = {};
  std::optional<Image> mask = {};  // white (>= half): repaint, black: keep; the size of `init`
  std::int64_t mask_blur = 4;      // pixels inside the mask where it joins the kept, 0..256
  std::string masked_content = "original";  // of what is repainted, before it is noised: original,
                                            // fill (the colours around), noise, empty
  /// Draw the box around the mask, `mask_padding` pixels (0..1024) wider, at width x height and put
  /// it back: the result has the size of `init`.
  bool only_masked = false;
  std::int64_t mask_padding = 32;
  /// Where `init` has another shape than the result: stretch, crop (its middle) or pad (its edges
  /// repeated).
  std::string fit = "stretch";
  bool keep_unmasked = true;  // put the kept pixels of `init` back into the result, exactly
};

using FieldMember = std::variant<std::string GenerateParams::*, std::int64_t GenerateParams::*,
                                 double GenerateParams::*, bool GenerateParams::*,
                                 std::optional<double> GenerateParams::*>;

/// One row of the table. `name` is the JSON key and Python keyword; the flag is --name with '-' for
/// '_'.
struct Field {
  std::string_view name;
  FieldMember member;
  double min = 0, max = 0;        // of numbers, inclusive
  std::string_view choices;       // of strings: "a|b|c", or empty for any
  std::string_view default_text;  // as people read it: "the model's", "7.5"
  std::string_view help;          // one plain sentence
};

/// Every field but prompts, init and mask, in the order of documentation.
std::span<const Field> generate_fields();
const Field* find_field(std::string_view name);

/// Sets a field from text ("20", "karras", "true"). Throws UsageError naming the field, the value
/// and the range.
void set_field(GenerateParams& params, std::string_view name, std::string_view text);

/// Checks every range, and that sizes, pictures and prompts are usable. Throws UsageError.
void validate(const GenerateParams& params);

/// The request as a JSON object (without pictures), and back. from: unknown keys are errors
/// (UsageError).
std::string to_json(const GenerateParams& params);
GenerateParams params_from_json(std::string_view json);

}  // namespace mezzo
