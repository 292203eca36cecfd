// The safetensors format, as strict as its reference implementation (huggingface/safetensors): 8
// bytes header length, JSON header, data that the tensors cover exactly: no hole, no overlap,
// nothing left over.
#pragma once

#include <map>

#include "checkpoint/file_tensors.h"

namespace mezzo {

class Safetensors final : public FileTensors {
 public:
  Safetensors(std::shared_ptr<const File> file, std::vector<StoredTensor> tensors,
              std::map<std::string, std::string> metadata)
      : FileTensors(std::move(file), std::move(tensors)), metadata_(std::move(metadata)) {}
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  std::map<std::string, std::string> metadata_;
};

/// Reads and checks the header. Throws LoadError.
std::shared_ptr<const Safetensors> open_safetensors(const fs::path& path);

}  // namespace mezzo
