#include "weights/cast_source.h"

#include <algorithm>
#include <exception>

#include "base/checked.h"
#include "tensor/convert.h"

namespace mezzo {
namespace {

constexpr std::int64_t kPiece = 1 << 15;  // values that a thread converts at a time

class Cast final : public TensorSource {
 public:
  Cast(std::shared_ptr<const TensorSource> source, std::vector<TensorInfo> tensors)
      : source_(std::move(source)), tensors_(std::move(tensors)) {}

  const std::vector<TensorInfo>& tensors() const override { return tensors_; }
  void read(std::size_t i, std::span<std::byte> out) const override {
    const TensorInfo& from = source_->tensors()[i];
    if (from.dtype == tensors_[i].dtype) return source_->read(i, out);
    check(out.size() == tensors_[i].bytes(), "read() gets room for exactly one tensor");
    const Tensor in(host(), from.dtype, from.shape);
    source_->read(i, {in.data<std::byte>(), in.bytes()});
    convert_values(from.dtype, in.data<std::byte>(), in.numel(), tensors_[i].dtype, out.data());
  }
  void read_part(std::size_t i, std::size_t begin, std::span<std::byte> out) const override {
    const DTypeInfo &from = info(source_->tensors()[i].dtype), &to = info(tensors_[i].dtype);
    if (from.dtype == to.dtype) return source_->read_part(i, begin, out);
    // Whole blocks of both types: those of the part alone.
    const auto size = static_cast<std::size_t>(to.bytes);
    const auto first = static_cast<std::int64_t>(begin / size) * to.block,
               count = static_cast<std::int64_t>(out.size() / size) * to.block;
    const auto stored = byte_size(from.dtype, first), bytes = byte_size(from.dtype, count);
    if (!stored || !bytes || begin % size || out.size() % size)
      return TensorSource::read_part(i, begin, out);
    std::vector<std::byte> in(static_cast<std::size_t>(*bytes));
    source_->read_part(i, static_cast<std::size_t>(*stored), in);
    convert_values(from.dtype, in.data(), count, to.dtype, out.data());
  }
  std::string origin() const override { return source_->origin(); }

 private:
  std::shared_ptr<const TensorSource> source_;
  std::vector<TensorInfo> tensors_;
};

}  // namespace

void convert_values(DType from, const std::byte* in, std::int64_t n, DType to, std::byte* out) {
  const std::int64_t pieces = ceil_div(n, kPiece);
  std::exception_ptr error;
#pragma omp parallel for schedule(dynamic, 1)
  for (std::int64_t i = 0; i < pieces; ++i) {
    try {
      const std::int64_t begin = i * kPiece, count = std::min(kPiece, n - begin);
      std::vector<float> values(static_cast<std::size_t>(count));
      to_float(from, in + *byte_size(from, begin), count, values.data());
      from_float(to, values.data(), count, out + *byte_size(to, begin));
    } catch (...) {
#pragma omp critical(mezzo_cast_error)
      error = std::current_exception();
    }
  }
  if (error) std::rethrow_exception(error);
}

std::shared_ptr<const TensorSource> cast_to(std::shared_ptr<const TensorSource> source,
                                            const TypePolicy& type_of) {
  std::vector<TensorInfo> tensors = source->tensors();
  for (TensorInfo& t : tensors) t.dtype = type_of(t);
  return std::make_shared<const Cast>(std::move(source), std::move(tensors));
}

}  // namespace mezzo
