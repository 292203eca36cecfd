#include "cli/manifest.h"

#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace mezzo::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string key(std::size_t line, std::int64_t index, const std::string& asked) {
  return fmt::format("{} {} {}", line, index, asked);
}

std::string compact(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json asked_json(const BatchLine& line) {
  Json json = Json::parse(to_json(line.params));
  if (!line.init.empty()) json["init"] = line.init;
  if (!line.mask.empty()) json["mask"] = line.mask;
  return json;
}

bool ends_in_half_a_line(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary | std::ios::ate);
  if (!in || in.tellg() <= 0) return false;
  in.seekg(-1, std::ios::end);
  return in.get() != '\n';
}

}  // namespace

std::string asked(const BatchLine& line) { return compact(asked_json(line)); }

Manifest::Manifest(std::filesystem::path folder, bool resume) : folder_(std::move(folder)) {
  const std::filesystem::path file = folder_ / kManifestName;
  if (resume) read();
  const bool broken = ends_in_half_a_line(file);
  out_.open(file, std::ios::binary | std::ios::app);
  if (broken) out_ << '\n';
  if (!out_)
    throw DeviceError(fmt::format("cannot write {}: {}; choose another folder with -o",
                                  file.string(), std::strerror(errno)));
}

void Manifest::read() {
  std::ifstream in(folder_ / kManifestName, std::ios::binary);
  for (std::string text; std::getline(in, text);) {
    const Json entry = Json::parse(text, nullptr, false);
    // A line that a crash cut short means that its picture is drawn again.
    const auto has = [&](const char* name, auto is) {
      return entry.contains(name) && (entry[name].*is)();
    };
    if (!entry.is_object() || !has("line", &Json::is_number_unsigned) ||
        !has("index", &Json::is_number_unsigned) || !has("file", &Json::is_string) ||
        !has("asked", &Json::is_object))
      continue;
    std::error_code error;
    if (std::filesystem::exists(folder_ / entry["file"].get<std::string>(), error))
      done_.insert(key(entry["line"].get<std::size_t>(), entry["index"].get<std::int64_t>(),
                       compact(entry["asked"])));
  }
}

bool Manifest::is_done(const BatchLine& line) const {
  const std::string text = asked(line);
  for (std::int64_t i = 0; i < line.params.count; ++i)
    if (!done_.contains(key(line.line, i, text))) return false;
  return true;
}

void Manifest::add(const BatchLine& line, std::int64_t index, const Picture& picture,
                   const std::string& file) {
  const Json entry = {{"line", line.line},
                      {"index", index},
                      {"file", file},
                      {"seed", picture.seed},
                      {"prompt", picture.prompt},
                      {"seconds", picture.seconds},
                      {"asked", asked_json(line)},
                      {"request", Json::parse(picture.request, nullptr, false)}};
  out_ << compact(entry) << '\n' << std::flush;
  if (!out_)
    throw DeviceError(
        fmt::format("cannot write {}: {}; free some space and run again with --resume",
                    (folder_ / kManifestName).string(), std::strerror(errno)));
}

}  // namespace mezzo::cli
