// Models and pictures on disk: finding, explaining, converting, saving.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mezzotint/engine.h"

namespace mezzo {

/// Finds a model: a path, a name in one of `folders` (with or without extension), a Hugging Face id
/// in its offline cache, or "" for the model that ships with Mezzotint. Throws LoadError: where it
/// looked, and the command that would fetch it.
std::string find_model(const std::string& name, const std::vector<std::string>& folders);

struct ModelEntry {
  std::string name, path, family, form;
  std::uint64_t bytes = 0;
  bool shipped = false;
  std::vector<std::string> objects;  // what it says that it can draw
  std::vector<std::string> unused;   // fields of a request that change nothing, or are refused
  struct Defaults {                  // what a request gets that says nothing
    int width = 0, height = 0, steps = 0;
    double guidance = 0;
    std::string sampler;
    bool inpainting = false;  // needs a picture and a mask
    int size_step = 8;        // pixels: width and height are multiples of it
  } defaults;
  std::string error;  // why it cannot be used, where it cannot
};
/// Every model in these folders, in the Hugging Face cache, and the shipped one. Reads headers
/// only. options: text encoders for the models that bring none (see options_for()).
std::vector<ModelEntry> list_models(const std::vector<std::string>& folders,
                                    const EngineOptions& options = {});

/// Options that are meant for many models, as this one takes them: without the files that belong
/// to models of another kind, which Engine::open() refuses. Reads headers only. Throws LoadError.
EngineOptions options_for(const std::string& model, EngineOptions options);

/// What a file is, from its header: kind, networks, types, missing and unknown tensors, and which
/// option takes it.
struct FileReport {
  std::string path, kind, family, form, advice;
  std::uint64_t bytes = 0;
  struct Network {
    std::string name;
    std::uint64_t parameters = 0, bytes = 0;
    std::vector<std::string> dtypes;
    std::string config;  // one line: channels, heads, layers
    bool config_from_file = false;
    std::vector<std::string> missing;
    bool usable = true;  // false: a warning says what is wrong with its config or sizes
  };
  std::vector<Network> networks;
  std::vector<std::string> objects;   // what the model says that it can draw
  std::vector<std::string> unknown;   // tensors that no network takes
  std::vector<std::string> warnings;  // such as callables that a pickle asks for (never run)
  std::string error;                  // why it cannot be loaded, where it cannot
};
/// `config`: a diffusers folder that describes a single file; empty: none.
FileReport inspect(const std::string& path, const std::string& config = {});
std::string to_json(const FileReport& report);
std::string to_json(const Plan& plan, const std::vector<PlanAlternative>& alternatives = {});

/// Writes one self-contained GGUF with every network, config and tokenizer of `model`.
/// weights: "f16", "bf16", "f32" or a quantised type, q8_0, q5_1, q5_0, q4_k, q4_1, q4_0 (large
/// matrices and convolutions; sensitive layers stay f16), or per network "unet=q8_0,vae=f16".
/// Empty: quantised weights stay as they are, others are f16.
struct ConvertOptions {
  std::string weights = {};
  std::string vae = {}, clip = {}, clip_l = {}, clip_g = {}, t5 = {}, config = {};
  bool no_t5 = false;
  bool overwrite = false;
  /// Also measure what was lost: draws a picture with the original and with the written model.
  bool quality = false;
};
/// What other weights change, against the original ones in float32.
struct WeightQuality {
  struct Layer {
    std::string tensor, type;  // unet.mid_block.resnets.0.conv1.weight, q8_0
    double error = 0;          // root mean square of what the wanted type loses, over the values'
    bool kept = false;         // at more bits than wanted, so that this is not lost
  };
  struct Network {
    std::string name;
    double error = 0;   // of its results: root mean square of the difference, over the values'
    double cosine = 0;  // between them
  };
  std::vector<Network> networks;  // denoiser: each step of the same picture by itself
  std::vector<Layer> layers;      // worst first
  double psnr = 0;                // of the whole picture, dB; infinite where it is the same
};
struct ConvertReport {
  std::uint64_t bytes_in = 0, bytes_out = 0;
  std::vector<std::pair<std::string, int>> dtypes;  // how many tensors of each type were written
  std::optional<WeightQuality> quality;
};
ConvertReport convert(const std::string& model, const std::string& out,
                      const ConvertOptions& options, const RunOptions& run = {});

/// What a prompt becomes for a model, read from its tokenizer alone: nothing else is loaded.
TokenReport count_tokens(const std::string& model, const EngineOptions& options,
                         const std::string& prompt);

/// Reads PNG, JPEG or WebP (turned upright, limits checked before decoding). Throws UsageError.
Image load_image(const std::string& path);
/// Writes PNG, JPEG or WebP by the name's ending, with the recipe inside, atomically. Throws
/// UsageError, DeviceError.
void save_picture(const std::string& path, const Picture& picture, int quality = 92);
void save_image(const std::string& path, const Image& image, int quality = 92);
/// The recipe inside a picture: the full request where Mezzotint wrote it, else what its A1111 text
/// says. Throws UsageError where there is none.
GenerateParams read_recipe(const std::string& path, std::string* model_name = nullptr);

/// The same for pictures in memory; `name` is what messages call them, `max_pixels` is checked
/// before decoding.
Image decode_picture(std::span<const std::byte> file, const std::string& name,
                     std::size_t max_pixels = std::size_t{64} << 20);
/// `extension` chooses the format: ".png", ".jpg", ".webp". A recipe that a JPEG cannot hold is
/// left out.
std::vector<std::byte> encode_picture(const Picture& picture, const std::string& extension,
                                      int quality = 92);
struct Recipe {
  GenerateParams params;
  std::string model;     // its name, where the recipe says it
  std::string infotext;  // as it stands in the file
};
Recipe decode_recipe(std::span<const std::byte> file, const std::string& name);
/// What A1111's text of settings says, wherever it was found. Throws UsageError.
Recipe parse_recipe(const std::string& infotext);

/// A copy of width x height pixels, both 1..16,384 (Lanczos).
Image resize_picture(const Image& image, int width, int height);
/// A mask as A1111 and diffusers mean it (white is repainted) from one of either kind: with
/// `transparent_repaints` OpenAI's, whose transparent pixels are repainted. 1 channel.
Image normal_mask(const Image& image, bool transparent_repaints);

/// Sampler and schedule names for lists: {name, display name}.
std::vector<std::pair<std::string, std::string>> sampler_names();
std::vector<std::pair<std::string, std::string>> schedule_names();

/// The sampler or schedule that is meant by a display name or alias ("DPM++ 2M", "k_euler_a");
/// empty where there is none.
std::string sampler_called(std::string_view name);
std::string schedule_called(std::string_view name);

/// Proves build and machine against embedded reference values: prints a line a check through
/// `line`. True when all pass.
bool selftest(const std::function<void(bool ok, std::string_view line)>& line);

/// Receives the library's warnings (a prompt that is too long, an ignored tensor). Default:
/// dropped.
void on_warning(std::function<void(std::string_view)> sink);

/// Bytes that this process holds and those it can still get without swapping; 0 where the system
/// does not tell.
std::uint64_t memory_for_process();

/// "mezzo 0.1.0"
std::string version();

}  // namespace mezzo
