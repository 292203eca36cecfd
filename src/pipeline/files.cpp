// Pictures from and to disk, and the few facts about the library that programs show.
#include "mezzotint/files.h"

#include "base/log.h"
#include "image/codec.h"
#include "pipeline/recipe.h"
#include "sampling/sampler.h"

namespace mezzo {

Image load_image(const std::string& path) { return read_image(path).image; }

void save_image(const std::string& path, const Image& image, int quality) {
  write_image(path, image, {}, {.quality = quality});
}

void save_picture(const std::string& path, const Picture& picture, int quality) {
  write_image(path, picture.image, {.parameters = picture.infotext, .request = picture.request},
              {.quality = quality});
}

std::vector<std::pair<std::string, std::string>> sampler_names() {
  std::vector<std::pair<std::string, std::string>> names;
  for (const auto& s : sampling::samplers()) names.emplace_back(s.name, s.display);
  return names;
}

std::vector<std::pair<std::string, std::string>> schedule_names() {
  std::vector<std::pair<std::string, std::string>> names;
  for (const auto& s : sampling::schedules()) names.emplace_back(s.name, s.display);
  return names;
}

void on_warning(std::function<void(std::string_view)> sink) {
  set_log_sink([sink = std::move(sink)](LogLevel level, std::string_view text) {
    if (sink && level == LogLevel::kWarning) sink(text);
  });
}

std::string version() { return std::string("mezzo ") + MEZZO_VERSION; }

}  // namespace mezzo
