// Pictures from and to disk, and the few facts about the library that programs show.
#include "mezzotint/files.h"

#include <algorithm>

#include "base/log.h"
#include "base/machine_memory.h"
#include "image/codec.h"
#include "image/mask.h"
#include "image/resize.h"
#include "pipeline/recipe.h"
#include "sampling/names.h"
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

Image decode_picture(std::span<const std::byte> file, const std::string& name,
                     std::size_t max_pixels) {
  const std::size_t pixels = std::min(max_pixels, DecodeOptions{}.max_pixels);
  return decode_image(file, {.name = name, .max_pixels = pixels}).image;
}

std::vector<std::byte> encode_picture(const Picture& picture, const std::string& extension,
                                      int quality) {
  const ImageFormat format = format_for("picture" + extension);
  Metadata metadata{.parameters = picture.infotext, .request = picture.request};
  if (!fits_metadata(format, metadata)) metadata = {};
  return encode_image(picture.image, format, metadata, {.quality = quality});
}

Image resize_picture(const Image& image, int width, int height) {
  return resize(image, width, height, ResizeFilter::kLanczos);
}

Image normal_mask(const Image& image, bool transparent_repaints) {
  return mask_from_image(image, transparent_repaints ? MaskConvention::kTransparentRepaints
                                                     : MaskConvention::kWhiteRepaints);
}

std::uint64_t memory_for_process() { return usable_memory(); }

std::string sampler_called(std::string_view name) {
  const auto* row = sampling::find_sampler(name);
  return row == nullptr ? "" : std::string(row->name);
}

std::string schedule_called(std::string_view name) {
  for (const auto& s : sampling::schedules())
    if (sampling::matches_name(name, s.name, s.display, {})) return std::string(s.name);
  return "";
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
