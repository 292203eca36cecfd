#include "cli/options.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <iostream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/settings.h"
#include "cli/text.h"
#include "mezzotint/files.h"

namespace mezzo::cli {
namespace {

constexpr char kMark = '\x1f';  // the unit separator: nobody types it

std::string dashed(std::string_view name) {
  std::string text(name);
  std::replace(text.begin(), text.end(), '_', '-');
  return text;
}

std::string flag_names(const Field& field) {
  const std::string name = "--" + dashed(field.name);
  return field.name == "negative_prompt" ? "-n," + name + ",--negative" : name;
}

/// Fields whose values are too many for the help; mezzo samplers lists them.
bool is_listed(const Field& field) { return field.name == "sampler" || field.name == "schedule"; }

const char* value_name(const Field& field) {
  if (!field.choices.empty() || is_listed(field)) return "NAME";
  return std::holds_alternative<std::string GenerateParams::*>(field.member) ? "TEXT" : "N";
}

bool is_switch(const Field& field) {
  return std::holds_alternative<bool GenerateParams::*>(field.member);
}

std::string flag_help(const Field& field) {
  std::string help(field.help);
  if (!field.choices.empty()) {
    std::string choices(field.choices);
    for (auto bar = choices.find('|'); bar != choices.npos; bar = choices.find('|', bar))
      choices.replace(bar, 1, ", ");
    help += fmt::format(" One of {}.", choices);
  }
  if (is_listed(field)) help += " All of them: mezzo samplers.";
  constexpr double kOpenEnd = 1e9;  // beyond it a limit says nothing
  if (field.max > field.min && field.max < kOpenEnd && !is_switch(field))
    help += fmt::format(" From {} to {}.", field.min, field.max);
  return fmt::format("{} Default: {}.", help, field.default_text);
}

/// Sets the field, and names the source of a value that nobody typed.
void set_named(GenerateParams& params, const Field& field, const std::string& text) {
  try {
    set_field(params, field.name, text);
  } catch (const UsageError& e) {
    const std::string variable = environment_name(dashed(field.name));
    const char* value = std::getenv(variable.c_str());
    if (value == nullptr || text != value) throw;
    throw UsageError(fmt::format("{} (from {} or the settings file)", e.what(), variable));
  }
}

void add_field(CLI::App& app, RequestFlags& flags, const Field& field) {
  const auto set = [&flags, &field](const std::string& text) {
    set_named(flags.params, field, text);
    flags.given.emplace_back(field.name, text);
  };
  if (is_switch(field)) {
    const std::string name = dashed(field.name);
    app.add_flag_function(
        fmt::format("--{0},!--no-{0}", name),
        [set](std::int64_t on) { set(on > 0 ? "true" : "false"); }, flag_help(field));
    return;
  }
  app.add_option_function<std::string>(
         flag_names(field), [set](const std::string& text) { set(unprotected(text)); },
         flag_help(field))
      ->type_name(value_name(field));
}

/// A strength without a picture is a mistake, unless it is everybody's default.
void check_strength(const RequestFlags& flags) {
  const bool given = std::any_of(flags.given.begin(), flags.given.end(),
                                 [](const auto& g) { return g.first == "strength"; });
  if (given && flags.init.empty() && std::getenv("MEZZO_STRENGTH") == nullptr)
    throw UsageError("strength: there is no picture to start from; give one with --init");
}

Flag in_file(CLI::App& app, const char* name, std::string& target, const char* help) {
  return add_text(app, name, target, help).type_name("FILE");
}

Flag in_model_group(Flag flag) { return flag.group("Model"); }

void append_stdin_lines(std::vector<std::string>& prompts) {
  for (std::string line; std::getline(std::cin, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty()) prompts.push_back(line);
  }
}

void load_pictures(const RequestFlags& flags, GenerateParams& request) {
  if (!flags.mask.empty() && flags.init.empty())
    throw UsageError("mask: there is no picture to repaint; give one with --init");
  if (!flags.init.empty()) request.init = load_image(flags.init);
  if (!flags.mask.empty()) request.mask = load_image(flags.mask);
}

}  // namespace

std::vector<std::string> protect_brackets(std::vector<std::string> arguments) {
  for (std::string& a : arguments)
    if (a.size() > 1 && a.front() == '[' && a.back() == ']') a += kMark;
  return arguments;
}

std::string unprotected(std::string text) {
  if (!text.empty() && text.back() == kMark) text.pop_back();
  return text;
}

std::uint64_t parse_size(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, int>, 5> kUnits = {
      {{"", 0}, {"k", 10}, {"m", 20}, {"g", 30}, {"t", 40}}};
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string unit = ascii_lower(std::string(end, text.data() + text.size()));
  for (const std::string_view tail : {"ib", "b"})
    if (unit.ends_with(tail)) {
      unit.resize(unit.size() - tail.size());
      break;
    }
  // Nobody means bytes by a number below a million.
  if (error == std::errc() && end == text.data() + text.size() && number >= 1 && number < 1e6)
    throw UsageError(
        fmt::format("max-ram: {0} what? Give the unit too, such as {0}G or {0}M", text));
  for (const auto& [name, shift] : kUnits)
    if (error == std::errc() && unit == name) {
      const double bytes = std::ldexp(number, shift);
      if (bytes >= 1 && bytes < 0x1p63) return static_cast<std::uint64_t>(bytes);
    }
  throw UsageError(fmt::format(
      "max-ram: \"{}\" is not a size; give a number with K, M, G or T, such as 6G", text));
}

std::vector<std::string> ModelFlags::folder_list() const {
  std::vector<std::string> list;
  std::string_view rest = folders;
  while (!rest.empty()) {
    const auto colon = rest.find(':');
    if (colon != 0) list.emplace_back(rest.substr(0, colon));
    rest.remove_prefix(colon == rest.npos ? rest.size() : colon + 1);
  }
  return list;
}

std::string ModelFlags::find() const { return find_model(model, folder_list()); }

Encoders encoders_of(EngineOptions& engine) {
  return {engine.clip_l, engine.clip_g, engine.t5, engine.no_t5};
}

void add_models_dir_flag(CLI::App& app, ModelFlags& flags) {
  add_text(app, "--models-dir", flags.folders,
           "Folders with models, separated by ':'. Environment: MEZZO_MODELS.")
      .type_name("DIR");
}

void add_engine_flags(CLI::App& app, ModelFlags& flags) {
  EngineOptions& engine = flags.engine;
  in_model_group(add_text(app, "--precision", engine.precision,
                          "Arithmetic: auto, f32, bf16 or int8 (the fastest, and a little "
                          "less exact). Default: auto, which is as exact as weights of 16 bits."))
      .type_name("NAME");
  in_model_group(
      add_text(
          app, "--weights", engine.weights,
          "How weights are kept in memory: f32, f16, bf16, q8_0, q5_1, q5_0, q4_k, q4_1, q4_0 or "
          "nf4, "
          "or by network as in t5=nf4,unet=q8_0,f16. Default: quantised files as they are, others "
          "as the precision has it."))
      .type_name("NAME");
  in_model_group(add_number(app, "--threads", engine.threads,
                            "Processor threads. From 0 to 4096; 0 is one per core. Default: 0.",
                            {0, 4096}));
  in_model_group(
      Flag(app.add_option_function<std::string>(
          "--max-ram", [&engine](const std::string& text) { engine.max_ram = parse_size(text); },
          "Memory that the program may use, such as 6G (K, M, G, T: powers of 1024). It holds less "
          "at a time until the work fits (see mezzo plan), or refuses. Default: what the machine "
          "has free.")))
      .type_name("SIZE");
  in_model_group(Flag(app.add_flag_callback(
      "--offload", [&engine] { engine.memory = "offload"; },
      "Keep text encoders in memory only while a new prompt is encoded.")));
  in_model_group(Flag(app.add_flag_callback(
      "--low-ram", [&engine] { engine.memory = "low-ram"; },
      "Take as little memory as possible: networks are read from the file layer by layer, in every "
      "step.")));
  in_model_group(add_text(app, "--prompt-cache", engine.prompt_cache,
                          "Keep encoded prompts in this folder (1 GB at most): text encoders are "
                          "not read for a prompt seen before."))
      .type_name("DIR");
}

std::vector<Flag> add_encoder_flags(CLI::App& app, const Encoders& e) {
  return {in_file(app, "--clip-l", e.clip_l, "Stable Diffusion 3: a file with the CLIP-L encoder."),
          in_file(app, "--clip-g", e.clip_g, "Stable Diffusion 3: a file with the CLIP-G encoder."),
          in_file(app, "--t5", e.t5, "Stable Diffusion 3: a file with the T5-XXL encoder."),
          add_switch(app, "--no-t5", e.no_t5,
                     "Stable Diffusion 3: draw without T5; less memory, prompts are followed less "
                     "well.")};
}

std::vector<Flag> add_part_flags(CLI::App& app, const ModelParts& parts) {
  std::vector<Flag> flags = {
      in_file(app, "--vae", parts.vae, "A file that replaces the model's VAE."),
      in_file(app, "--clip", parts.clip, "A file that replaces the model's text encoder.")};
  for (const Flag flag : add_encoder_flags(app, parts.encoders)) flags.push_back(flag);
  return flags;
}

void add_model_flags(CLI::App& app, ModelFlags& flags) {
  EngineOptions& engine = flags.engine;
  in_model_group(
      add_text(app, "-m,--model", flags.model,
               "A file, a diffusers folder, a name in --models-dir or a Hugging Face id. "
               "Default: the shipped model."))
      .type_name("MODEL");
  add_models_dir_flag(app, flags);
  in_model_group(Flag(app.get_option("--models-dir")));
  for (const Flag flag : add_part_flags(
           app, {.vae = engine.vae, .clip = engine.clip, .encoders = encoders_of(engine)}))
    in_model_group(flag);
  in_model_group(add_text(app, "--config", engine.config,
                          "A diffusers folder that describes a single-file model."))
      .type_name("DIR");
  add_engine_flags(app, flags);
}

void add_request_flags(CLI::App& app, RequestFlags& flags) {
  for (const Field& field : generate_fields()) add_field(app, flags, field);
}

void add_picture_flags(CLI::App& app, RequestFlags& flags) {
  add_text(app, "--init", flags.init, "A picture to start from (image-to-image).")
      .type_name("IMAGE");
  add_text(app, "--mask", flags.mask, "With --init: white is repainted, black is kept.")
      .type_name("IMAGE");
}

void add_prompts(CLI::App& app, RequestFlags& flags) {
  app.add_option("prompt", flags.prompts,
                 "What to draw; several prompts make several pictures, - reads them from stdin.")
      ->type_name("PROMPT");
}

void add_json_flag(CLI::App& app, Session& session) {
  add_switch(app, "--json", session.json, "Print the result as JSON.");
}

void add_progress_flags(CLI::App& app, Session& session) {
  add_text(app, "--progress", session.progress,
           "How to show progress: auto, bar, plain, json or none. Default: auto.")
      .type_name("NAME");
  add_switch(app, "-q,--quiet", session.quiet, "Print nothing but results and errors.");
}

GenerateParams RequestFlags::load() const {
  check_strength(*this);
  GenerateParams request = params;
  for (const std::string& prompt : prompts) {
    if (prompt == "-")
      append_stdin_lines(request.prompts);
    else
      request.prompts.push_back(unprotected(prompt));
  }
  load_pictures(*this, request);
  return request;
}

GenerateParams RequestFlags::over(GenerateParams request) const {
  for (const auto& [field, text] : given) set_field(request, field, text);
  load_pictures(*this, request);
  return request;
}

}  // namespace mezzo::cli
