// Tensors that lie in one file, each as one range of bytes: what safetensors and GGUF readers come
// down to.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "weights/source.h"

namespace mezzo {

inline constexpr std::size_t kMaxTensors = 100'000;  // in one file
inline constexpr std::size_t kMaxNameLength = 1024;  // bytes of a tensor name

struct StoredTensor {
  TensorInfo info;            // as it is handed out
  std::uint64_t offset = 0;   // in the file
  DType stored = info.dtype;  // in the file; the values are converted when they are read

  std::uint64_t stored_bytes() const {
    return static_cast<std::uint64_t>(*byte_size(stored, info.shape.numel()));
  }
};

class FileTensors : public TensorSource {
 public:
  /// Throws LoadError when a name occurs twice or a range is not inside the file.
  FileTensors(std::shared_ptr<const File> file, std::vector<StoredTensor> tensors);

  const std::vector<TensorInfo>& tensors() const override { return infos_; }
  void read(std::size_t index, std::span<std::byte> out) const override;
  void read_part(std::size_t index, std::size_t begin, std::span<std::byte> out) const override;
  std::string origin() const override { return file_->path().string(); }

 private:
  std::shared_ptr<const File> file_;
  struct Place {
    std::uint64_t offset;
    DType stored;
  };
  std::vector<TensorInfo> infos_;
  std::vector<Place> places_;
};

/// The checked shape from dimensions that came from a file; throws LoadError naming `what`.
Shape checked_shape(std::span<const std::int64_t> dims, DType dtype, std::string_view what);

}  // namespace mezzo
