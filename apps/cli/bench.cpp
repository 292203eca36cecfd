// mezzo bench: the speed of this machine with a model.
#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/options.h"
#include "cli/text.h"

namespace mezzo::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Flags {
  ModelFlags model;
  BenchOptions options;
};

double number(const Json& json, const char* key) { return json.at(key).get<double>(); }

std::string part_line(const char* name, double seconds) {
  return fmt::format("{:<22}{:>9.3f} s", name, seconds);
}

/// A network whose work is known.
std::string network_line(const char* name, const Json& r, const std::string& key,
                         const char* seconds) {
  return part_line(name, number(r, seconds)) +
         fmt::format("{:>9.1f} GFLOP/s {:>4.0f} % of the peak\n",
                     number(r, (key + "_gflops").c_str()),
                     100 * number(r, (key + "_share_of_peak").c_str()));
}

std::string layer_lines(const Json& layers) {
  std::string text = fmt::format("\n{:>9} {:>9} {:>6} {:>9} {:>6}  {:<16} {:<9} {}\n", "seconds",
                                 "expected", "calls", "GFLOP/s", "peak", "algorithm", "network",
                                 "layers of a step, then of a decoded picture");
  for (const Json& row : layers)
    text +=
        fmt::format("{:>9.4f} {:>9.4f} {:>6} {:>9.1f} {:>4.0f} %  {:<16} {:<9} {} {}\n",
                    number(row, "seconds"), number(row, "predicted"), row.at("calls").get<int>(),
                    number(row, "gflops"), 100 * number(row, "share_of_peak"),
                    row.at("algorithm").get<std::string>(), row.at("network").get<std::string>(),
                    row.at("op").get<std::string>(), row.at("shape").get<std::string>());
  return text;
}

std::string as_lines(const Json& r) {
  const int steps = r.at("steps").get<int>();
  std::string text = fmt::format(
      "{}x{} pixels, {}; the peak is {:.1f} GFLOP/s ({:.1f} before, {:.1f} after)\n",
      r.at("width").get<int>(), r.at("height").get<int>(), r.at("precision").get<std::string>(),
      number(r, "peak_gflops"), number(r, "peak_gflops_before"), number(r, "peak_gflops_after"));
  text += part_line("loading the model", number(r, "load_s")) + "\n";
  text += part_line("text, both prompts", number(r, "text_encode_s")) + "\n";
  text += network_line((r.at("denoiser").get<std::string>() + ", a step").c_str(), r, "unet",
                       "unet_s_per_step");
  text += network_line("VAE decoder", r, "vae", "vae_decode_s");
  text += part_line(("a picture, " + counted(static_cast<std::size_t>(steps), "step")).c_str(),
                    number(r, "total_s")) +
          (r.at("total") == "computed" ? "  (added up; --whole draws it)\n" : "\n");
  const auto bytes = [&](const char* key) {
    return format_bytes(r.at(key).get<std::uint64_t>() << 20);
  };
  text += fmt::format("memory: weights {}, activations {}, the whole program at most {}\n",
                      bytes("weights_mb"), bytes("activations_mb"), bytes("peak_rss_mb"));
  return r.contains("layers") ? text + layer_lines(r["layers"]) : text;
}

}  // namespace

void add_bench(CLI::App& app, Session& session) {
  const auto flags = std::make_shared<Flags>();
  BenchOptions& options = flags->options;
  add_number(app, "--width", options.width, "Width in pixels. Default: the model's.", {8, 4096});
  add_number(app, "--height", options.height, "Height in pixels. Default: the model's.", {8, 4096});
  add_number(app, "--steps", options.steps,
             "Steps of the picture that the time is for. Default: 20.", {1, 1000});
  add_number(app, "--repeats", options.repeats, "How often each part is measured. Default: 3.",
             {1, 1000});
  add_switch(app, "--layers", options.layers, "Also tell the time of every layer.");
  add_switch(app, "--whole", options.whole,
             "Also draw a whole picture, rather than adding up its parts.");
  add_model_flags(app, flags->model);
  add_progress_flags(app, session);
  add_json_flag(app, session);
  set_footer(app,
             "Examples:\n"
             "  mezzo bench\n"
             "  mezzo bench -m v1-5-pruned-emaonly.safetensors --width 512 --height 512 --json");
  when_chosen(app, [flags, &session] {
    session.command = [flags, &session] {
      const RunOptions run = session.begin();
      EngineOptions memory = flags->model.engine;
      memory.once = !flags->options.whole;  // that of one picture
      Engine engine = Engine::open(flags->model.find(), memory, run);
      const std::string json = engine.bench(flags->options, run);
      session.printer->clear();
      print(session.json ? json + "\n" : as_lines(Json::parse(json)));
      return kDone;
    };
  });
}

}  // namespace mezzo::cli
