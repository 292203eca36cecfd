#include "checkpoint/file_tensors.h"

#include <algorithm>

#include "base/checked.h"
#include "tensor/convert.h"

namespace mezzo {

FileTensors::FileTensors(std::shared_ptr<const File> file, std::vector<StoredTensor> tensors)
    : file_(std::move(file)) {
  std::ranges::sort(tensors, {},
                    [](const StoredTensor& t) -> const std::string& { return t.info.name; });
  infos_.reserve(tensors.size());
  places_.reserve(tensors.size());
  for (auto& t : tensors) {
    if (!infos_.empty() && infos_.back().name == t.info.name)
      fail<LoadError>("{}: two tensors are named {}; the file is damaged or forged", origin(),
                      t.info.name);
    const std::uint64_t bytes = t.stored_bytes();
    if (t.offset > file_->size() || bytes > file_->size() - t.offset)
      fail<LoadError>(
          "{}: tensor {} needs {} bytes at offset {}, the file has {}; it is truncated: copy or "
          "download it again",
          origin(), t.info.name, bytes, t.offset, file_->size());
    infos_.push_back(std::move(t.info));
    places_.push_back({t.offset, t.stored});
  }
}

void FileTensors::read(std::size_t index, std::span<std::byte> out) const {
  check(index < infos_.size() && out.size() == infos_[index].bytes(),
        "read() gets room for exactly one tensor");
  const auto& [offset, stored] = places_[index];
  const TensorInfo& t = infos_[index];
  if (stored == t.dtype) return file_->read(offset, out);
  Tensor in(host(), stored, t.shape);
  file_->read(offset, {in.data<std::byte>(), in.bytes()});
  const Tensor converted = cast(in, t.dtype);
  std::ranges::copy(std::span(converted.data<std::byte>(), out.size()), out.begin());
}

void FileTensors::read_part(std::size_t index, std::size_t begin, std::span<std::byte> out) const {
  check(index < infos_.size() && begin <= infos_[index].bytes() &&
            out.size() <= infos_[index].bytes() - begin,
        "read_part() stays inside of the tensor");
  const auto& [offset, stored] = places_[index];
  if (stored == infos_[index].dtype) return file_->read(offset + begin, out);
  TensorSource::read_part(index, begin, out);
}

Shape checked_shape(std::span<const std::int64_t> dims, DType dtype, std::string_view what) {
  if (dims.size() > Shape::kMaxRank)
    fail<LoadError>("{}: {} dimensions, at most {} are possible", what, dims.size(),
                    Shape::kMaxRank);
  const auto n = checked_product(dims);
  if (!n)
    fail<LoadError>("{}: impossible shape (a negative size, or a product beyond 64 bits)", what);
  const auto bytes = byte_size(dtype, *n);
  if (!bytes)
    fail<LoadError>("{}: {} values of type {} are no whole number of blocks, or too many", what, *n,
                    name(dtype));
  return Shape(dims);
}

}  // namespace mezzo
