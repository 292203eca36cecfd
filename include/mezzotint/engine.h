// The engine: opens a model and draws pictures with it.
//
//   auto engine = mezzo::Engine::open("models/icons.gguf");
//   auto pictures = engine.generate({.prompts = {"a red apple"}});
//   mezzo::save_picture("apple.png", pictures[0]);
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "mezzotint/errors.h"
#include "mezzotint/image.h"
#include "mezzotint/params.h"

namespace mezzo {

struct EngineOptions {
  std::string precision = "auto";  // auto, f32, bf16, int8
  /// How weights are kept in memory: f32, f16, bf16, q8_0, q5_1, q5_0, q4_k, q4_1, q4_0 or nf4, or
  /// by network: "t5=nf4,unet=q8_0,f16". Empty: quantised files as they are, others by precision.
  std::string weights = {};
  /// Files that replace or supply these networks; `clip` is for Stable Diffusion 1 and 2, the
  /// others are the text encoders of Stable Diffusion 3.
  std::string vae = {}, clip = {}, clip_l = {}, clip_g = {}, t5 = {};
  bool no_t5 = false;  // leave T5 out: a quarter of the memory, and prompts are followed less well
  /// A diffusers folder that describes a single file (sizes, heads, tokenizer, scheduler).
  std::string config = {};
  int threads = 0;  // 0: one per physical core
  /// Bytes for the whole process; 0: no limit but what the machine has free. The engine keeps to it
  /// by holding less in memory (docs/memory.md), and refuses what does not fit even so. The heap of
  /// the process is set to return freed memory at once.
  std::uint64_t max_ram = 0;
  /// What is held in memory: "auto" or "" (as much as fits), "offload" (text encoders only while
  /// they are used), "low-ram" (as little as possible: networks are read from their file layer by
  /// layer, every time).
  std::string memory = {};
  /// A folder where encoded prompts are kept, so that text encoders are not read for prompts seen
  /// before; empty: none.
  std::string prompt_cache = {};
  /// Only one request is to be drawn: a network's memory is given back after its last use. Another
  /// request reads it again.
  bool once = false;
};

enum class Phase { kLoad, kEncode, kDenoise, kDecode };

/// As JSON and Python call it: "load", "encode", "denoise", "decode".
constexpr const char* name_of(Phase phase) {
  constexpr const char* kNames[] = {"load", "encode", "denoise", "decode"};
  return kNames[static_cast<int>(phase)];
}

/// Where the work is. Sent after every step and at the start of every phase.
struct Progress {
  Phase phase = Phase::kLoad;
  int step = 0, steps = 0;         // of this phase
  int picture = 0, pictures = 0;   // pictures finished, and asked for
  double seconds_per_step = 0;     // of denoising, so far
  double seconds_left = 0;         // to the end of all pictures; 0 while unknown
  const Image* preview = nullptr;  // a small picture of the present state, where one was asked for
};

struct RunOptions {
  std::function<void(const Progress&)> progress = {};
  int preview_every = 0;  // steps between previews; 0: none
  std::stop_token stop =
      {};  // the run throws Cancelled within one layer of work after this is stopped
};

/// What GenerateParams::max_drift did.
struct Reuse {
  int calls = 0, reused = 0;  // of the network, and those with features of an earlier call
  double drift = 0;  // the largest of theirs, as measured afterwards or, at the end, expected
};

/// A finished picture with everything that is needed to make it again.
struct Picture {
  Image image;  // RGB
  std::string prompt;
  std::int64_t seed = 0;
  std::string infotext;  // the recipe as A1111 writes it
  std::string request;   // the full request as JSON
  double seconds = 0;    // of the batch it was made in, divided by its pictures
  Reuse reuse = {};
};

/// What `mezzo plan` tells: predicted from headers alone, before anything is loaded.
struct PlanPhase {
  std::string name;                                      // text encoder, unet, vae decoder ...
  std::uint64_t weights = 0, activations = 0, peak = 0;  // bytes
  std::int64_t flops = 0;
  double seconds = 0;
};
struct Plan {
  std::vector<PlanPhase> phases = {};
  std::vector<std::string> measures = {};  // what is done to need less memory, one line each
  std::uint64_t peak = 0;                  // resident bytes of the process at its highest point
  double seconds = 0;
  std::string precision = {};
};

struct TokenPiece {
  int id = 0;
  std::string text;
};
struct TokenReport {
  std::vector<TokenPiece> pieces;  // of the prompt, without the start and end tokens
  int used = 0, limit = 0;         // tokens with start and end, and how many the model reads
  std::string cut;                 // the part of the prompt that the model does not see
};

struct BenchOptions {
  int width = 0, height = 0, steps = 20, repeats = 3;
  bool layers = false;  // record every layer
  bool whole = false;   // also run a whole picture rather than computing its time
};

/// What an open model is.
struct ModelInfo {
  std::string path, name, form,
      family;        // family as people call it: "SD 1.x", "SD 2.x", "SD 1.x inpainting"
  std::string hash;  // first 10 hex digits of the file's SHA-256, where it is one file
  int width = 0, height = 0, steps = 0;  // its defaults
  double guidance = 0;
  std::string sampler, prediction;
  std::vector<std::string> objects;  // what it says that it can draw
};

/// Calls from several threads wait for each other: a run uses the whole machine.
class Engine {
 public:
  /// `model`: a file or folder. Throws LoadError, OutOfMemory, UsageError (see
  /// docs/architecture.md).
  static Engine open(const std::string& model, const EngineOptions& options = {},
                     const RunOptions& run = {});
  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;
  ~Engine();

  /// Draws prompts x count pictures, in order. The same request gives the same bytes, alone or in
  /// company.
  std::vector<Picture> generate(const GenerateParams& params, const RunOptions& run = {});
  /// The same, handing over each picture as soon as it is finished.
  void generate(const GenerateParams& params, const RunOptions& run,
                const std::function<void(Picture)>& done);

  /// The request with every default filled in as this model has it.
  GenerateParams resolve(const GenerateParams& params) const;
  TokenReport tokens(const std::string& prompt) const;
  const ModelInfo& info() const;
  /// Timings as one JSON object (docs/performance.md names the fields).
  std::string bench(const BenchOptions& options, const RunOptions& run = {});

 private:
  struct State;
  explicit Engine(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// A way to run a request, and what it takes.
struct PlanAlternative {
  std::string name;        // the measure that it takes beside those before it
  std::string what;        // and what that means
  std::uint64_t peak = 0;  // bytes
  double seconds = 0;
};
/// The ways to run a request, from the fastest to the smallest.
std::vector<PlanAlternative> plan_alternatives(const std::string& model,
                                               const EngineOptions& options,
                                               const GenerateParams& params);

/// Predicts memory, work and time of a request from the model's headers. Throws OutOfMemory when it
/// needs more than options.max_ram.
Plan plan(const std::string& model, const EngineOptions& options, const GenerateParams& params);

}  // namespace mezzo
