#include "checkpoint/bundle.h"

namespace mezzo {

std::string model_name(const fs::path& model) {
  constexpr std::string_view kRepository = "models--";
  std::error_code error;
  fs::path path = fs::absolute(model, error).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();  // "folder/"
  if (!fs::is_directory(path, error)) return path.stem().string();
  std::string repository = path.parent_path().parent_path().filename().string();
  if (path.parent_path().filename() != "snapshots" || !repository.starts_with(kRepository))
    return path.filename().string();
  repository = repository.substr(kRepository.size());
  if (const auto dashes = repository.find("--"); dashes != std::string::npos)
    repository.replace(dashes, 2, "/");
  return repository;
}

}  // namespace mezzo
