#include "checkpoint/key_mapped_source.h"

#include <algorithm>
#include <cstring>

namespace mezzo {
namespace {

int part_of(Transform t) { return static_cast<int>(t) - static_cast<int>(Transform::kFirst); }

Shape transformed(const TensorInfo& t, Transform transform, const std::string& origin) {
  const Shape& s = t.shape;
  const auto reject = [&](const char* need) {
    fail<LoadError>("{}: tensor {} is {} {}, {} is needed; the file is damaged or of another kind",
                    origin, t.name, name(t.dtype), to_string(s), need);
  };
  switch (transform) {
    case Transform::kNone:
      return s;
    case Transform::kSqueeze1x1:
      return s.rank() == 4 && s[2] == 1 && s[3] == 1 ? Shape{s[0], s[1]} : s;
    case Transform::kTranspose:
      if (s.rank() != 2 || is_quantized(t.dtype)) reject("a plain matrix");
      return {s[1], s[0]};
    case Transform::kFirst:
    case Transform::kSecond:
    case Transform::kThird: {
      if (s.rank() < 1 || s[0] % 3 != 0 || !byte_size(t.dtype, s.numel() / 3))
        reject("a first dimension of three parts");
      Shape third = s;
      third.set(0, s[0] / 3);
      return third;
    }
    case Transform::kSwapHalves:
      if (s.rank() < 1 || s[0] % 2 != 0 || !byte_size(t.dtype, s.numel() / 2))
        reject("a first dimension of two halves");
      return s;
  }
  return s;
}

}  // namespace

KeyMappedSource::KeyMappedSource(std::shared_ptr<const TensorSource> source,
                                 std::vector<MappedTensor> tensors)
    : source_(std::move(source)), mapped_(std::move(tensors)) {
  std::ranges::sort(mapped_, {}, &MappedTensor::name);
  infos_.reserve(mapped_.size());
  for (const auto& m : mapped_) {
    const TensorInfo& from = source_->tensors()[m.index];
    if (!infos_.empty() && infos_.back().name == m.name)
      fail<LoadError>("{}: {} and another tensor both mean {}; the file mixes two layouts",
                      origin(), from.name, m.name);
    infos_.push_back({m.name, from.dtype, transformed(from, m.transform, origin())});
  }
}

void KeyMappedSource::read(std::size_t index, std::span<std::byte> out) const {
  const MappedTensor& m = mapped_[index];
  check(out.size() == infos_[index].bytes(), "read() gets room for exactly one tensor");
  switch (m.transform) {
    case Transform::kNone:
    case Transform::kSqueeze1x1:
      return source_->read(m.index, out);
    case Transform::kFirst:
    case Transform::kSecond:
    case Transform::kThird:
      return source_->read_part(m.index,
                                out.size() * static_cast<std::size_t>(part_of(m.transform)), out);
    case Transform::kSwapHalves: {
      const std::size_t half = out.size() / 2;
      source_->read_part(m.index, half, out.first(half));
      return source_->read_part(m.index, 0, out.subspan(half));
    }
    case Transform::kTranspose:
      return read_transposed(index, out);
  }
}

void KeyMappedSource::read_part(std::size_t index, std::size_t begin,
                                std::span<std::byte> out) const {
  const MappedTensor& m = mapped_[index];
  if (m.transform == Transform::kNone || m.transform == Transform::kSqueeze1x1)
    return source_->read_part(m.index, begin, out);
  TensorSource::read_part(index, begin, out);
}

void KeyMappedSource::read_transposed(std::size_t index, std::span<std::byte> out) const {
  const MappedTensor& m = mapped_[index];
  std::vector<std::byte> all(source_->tensors()[m.index].bytes());
  source_->read(m.index, all);
  const Shape& shape = infos_[index].shape;  // [columns, rows] of what was read
  const auto rows = static_cast<std::size_t>(shape[1]),
             columns = static_cast<std::size_t>(shape[0]);
  const auto size = static_cast<std::size_t>(info(infos_[index].dtype).bytes);
  for (std::size_t c = 0; c < columns; ++c)
    for (std::size_t r = 0; r < rows; ++r)
      std::memcpy(out.data() + (c * rows + r) * size, all.data() + (r * columns + c) * size, size);
}

}  // namespace mezzo
