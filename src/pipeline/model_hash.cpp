#include "pipeline/model_hash.h"

#include <cstdlib>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/sha256.h"

namespace mezzo {
namespace {

constexpr std::size_t kChunk = 256u << 10;  // beside everything else that is in memory
constexpr std::size_t kRemembered = 1000;

fs::path memory_path() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache && *cache)
    return fs::path(cache) / "mezzotint" / "hashes.json";
  if (const char* home = std::getenv("HOME"); home && *home)
    return fs::path(home) / ".cache" / "mezzotint" / "hashes.json";
  return {};
}

nlohmann::json recall() {
  try {
    auto j = nlohmann::json::parse(read_text_file(memory_path(), 1u << 20));
    if (j.is_object()) return j;
  } catch (const std::exception&) {  // none yet, or damaged: it is made again
  }
  return nlohmann::json::object();
}

void remember(const std::string& key, const std::string& hash) {
  try {
    auto all = recall();
    if (all.size() >= kRemembered) all.clear();
    all[key] = hash;
    fs::create_directories(memory_path().parent_path());
    const auto text = all.dump();
    write_file_atomically(memory_path(), std::as_bytes(std::span(text)));
  } catch (const std::exception&) {  // a read-only home only costs time
  }
}

fs::path hashed_file(const fs::path& model) {
  if (!fs::is_directory(model)) return model;
  for (const char* name :
       {"diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.fp16.safetensors",
        "diffusion_pytorch_model.bin"})
    if (fs::exists(model / "unet" / name)) return model / "unet" / name;
  return {};
}

}  // namespace

std::string model_hash(const fs::path& model, std::stop_token stop) try {
  const auto path = hashed_file(model);
  if (path.empty()) return "";
  const File file(path);
  const auto key = fmt::format("{}:{}:{}", fs::absolute(path).string(), file.size(),
                               fs::last_write_time(path).time_since_epoch().count());
  if (const auto known = recall(); known.contains(key) && known[key].is_string())
    return known[key].get<std::string>();
  Sha256 sha;
  std::vector<std::byte> chunk(kChunk);
  for (std::uint64_t at = 0; at < file.size(); at += chunk.size()) {
    if (stop.stop_requested()) return "";
    chunk.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kChunk, file.size() - at)));
    file.read(at, chunk);
    sha.update(chunk);
  }
  const auto hash = sha.finish().substr(0, 10);
  remember(key, hash);
  return hash;
} catch (const std::exception&) {
  return "";
}

}  // namespace mezzo
