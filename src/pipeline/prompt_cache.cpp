#include "pipeline/prompt_cache.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/log.h"
#include "base/sha256.h"
#include "checkpoint/safetensors.h"
#include "pipeline/open_engine.h"

namespace mezzo {
namespace {

constexpr std::string_view kVersion = "mezzotint prompt 2";  // changes when numbers do
constexpr std::uint64_t kMostBytes = 1'000'000'000;          // of the folder
constexpr std::uint64_t kMostFile = std::uint64_t{64} << 20;
constexpr std::size_t kSample = 4096;  // bytes of a tensor's beginning and end that are looked at
constexpr std::size_t kKeyLength = 64;

void add(Sha256& hash, std::string_view text) {
  const std::uint64_t size = text.size();  // so that "ab", "c" is not "a", "bc"
  hash.update(std::as_bytes(std::span(&size, 1)));
  hash.update(std::as_bytes(std::span(text)));
}

/// Names, shapes and samples of every tensor: a whole T5 would take half a minute.
void add(Sha256& hash, const TensorSource& tensors) {
  std::vector<std::byte> sample;
  for (std::size_t i = 0; i < tensors.tensors().size(); ++i) {
    const TensorInfo& t = tensors.tensors()[i];
    add(hash, fmt::format("{} {} {}", t.name, name(t.dtype), to_string(t.shape)));
    sample.resize(std::min(kSample, t.bytes()));
    for (const std::size_t begin : {std::size_t{0}, t.bytes() - sample.size()}) {
      tensors.read_part(i, begin, sample);
      hash.update(sample);
    }
  }
}

std::string hash_of_encoders(const ModelBundle& bundle, Precision precision) {
  Sha256 hash;
  add(hash, kVersion);
  add(hash, precision_name(precision));
  for (const auto& [component, c] : bundle.components) {
    if (!is_text_encoder(component)) continue;
    add(hash, component);
    add(hash, c.config.dump());
    add(hash, *c.weights);
  }
  for (const auto& [tokenizer, files] : bundle.tokenizers)
    for (const auto& [file, text] : files) {
      add(hash, tokenizer + "/" + file);
      add(hash, text);
    }
  return hash.finish();
}

std::string_view bytes_of(const Tensor& t) { return {t.data<char>(), t.bytes()}; }

std::string hash_of_values(const TextEmbedding& e) {
  Sha256 hash;
  add(hash, bytes_of(e.tokens));
  if (e.pooled) add(hash, bytes_of(e.pooled));
  return hash.finish();
}

bool is_ours(const fs::path& path) {
  const auto stem = path.stem().string();
  return path.extension() == ".safetensors" && stem.size() == kKeyLength &&
         stem.find_first_not_of("0123456789abcdef") == stem.npos;
}

TextEmbedding read(const fs::path& path, const std::string& key) {
  if (File(path).size() > kMostFile) fail<LoadError>("{}: is too large", path.string());
  const auto stored = open_safetensors(path);
  const auto& metadata = stored->metadata();
  const auto field = [&](const char* name) {
    const auto it = metadata.find(name);
    return it == metadata.end() ? std::string() : it->second;
  };
  TextEmbedding e{.tokens = stored->load("tokens")};
  if (stored->has("pooled")) e.pooled = stored->load("pooled");
  const auto is_row = [](const Tensor& t, int rank) {
    return t.dtype() == DType::kF32 && t.rank() == rank && t.dim(0) == 1;
  };
  if (field("key") != key || !is_row(e.tokens, 3) || (e.pooled && !is_row(e.pooled, 2)) ||
      field("sha256") != hash_of_values(e))
    fail<LoadError>("{}: is damaged, or belongs to another prompt", path.string());
  return e;
}

void write(const fs::path& path, const std::string& key, const TextEmbedding& e) {
  nlohmann::json header = {
      {"__metadata__", {{"format", "pt"}, {"key", key}, {"sha256", hash_of_values(e)}}}};
  std::size_t end = 0;
  const auto describe = [&](const char* name, const Tensor& t) {
    const auto dims = t.shape().dims();
    header[name] = {{"dtype", "F32"},
                    {"shape", std::vector<std::int64_t>(dims.begin(), dims.end())},
                    {"data_offsets", {end, end + t.bytes()}}};
    end += t.bytes();
  };
  describe("tokens", e.tokens);
  if (e.pooled) describe("pooled", e.pooled);
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const std::uint64_t size = text.size();
  AtomicFile out(path);
  out.write(std::as_bytes(std::span(&size, 1)));
  out.write(std::as_bytes(std::span(text)));
  out.write(std::as_bytes(std::span(bytes_of(e.tokens))));
  if (e.pooled) out.write(std::as_bytes(std::span(bytes_of(e.pooled))));
  out.commit();
}

}  // namespace

PromptCache::PromptCache(fs::path folder, const ModelBundle& bundle, Precision precision)
    : folder_(std::move(folder)), encoders_(hash_of_encoders(bundle, precision)) {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (!is_existing_folder(folder_))
    fail<DeviceError>("{}: is no folder and cannot be made one ({}); choose another for prompts",
                      folder_.string(), error.message());
}

std::string PromptCache::key(const Prompt& prompt, const TextSettings& settings) const {
  Sha256 hash;
  for (const auto& part : {encoders_, prompt.text, prompt.text_2, prompt.text_3,
                           fmt::format("{} {}", settings.clip_skip, settings.t5_length)})
    add(hash, part);
  return hash.finish();
}

std::optional<TextEmbedding> PromptCache::find(const Prompt& prompt,
                                               const TextSettings& settings) const {
  const std::string name = key(prompt, settings);
  std::error_code error;
  if (!fs::exists(file(name), error)) return std::nullopt;
  try {
    TextEmbedding found = read(file(name), name);
    fs::last_write_time(file(name), fs::file_time_type::clock::now(), error);
    return found;
  } catch (const LoadError& e) {
    log_warning("an encoded prompt is made anew: {}", e.what());
    return std::nullopt;
  }
}

void PromptCache::keep(const Prompt& prompt, const TextSettings& settings,
                       const TextEmbedding& embedding) const {
  try {
    const std::string name = key(prompt, settings);
    write(file(name), name, embedding);
    forget_oldest();
  } catch (const Error& e) {
    log_warning("an encoded prompt is not kept: {}", e.what());
  }
}

void PromptCache::forget_oldest() const {
  struct Kept {
    fs::file_time_type used;
    std::uint64_t bytes;
    fs::path path;
  };
  std::vector<Kept> files;
  std::uint64_t total = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder_, error)) {
    if (!is_ours(entry.path())) continue;
    const auto bytes = entry.file_size(error);
    if (error) continue;
    files.push_back({entry.last_write_time(error), bytes, entry.path()});
    total += bytes;
  }
  std::ranges::sort(files, {}, &Kept::used);
  for (const Kept& oldest : files) {
    if (total <= kMostBytes) return;
    if (fs::remove(oldest.path, error)) total -= oldest.bytes;
  }
}

}  // namespace mezzo
