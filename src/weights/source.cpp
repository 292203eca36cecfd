#include "weights/source.h"

#include <algorithm>

namespace mezzo {
namespace {

class PrefixRemoved final : public TensorSource {
 public:
  PrefixRemoved(std::shared_ptr<const TensorSource> source, std::string_view prefix)
      : source_(std::move(source)) {
    const auto& all = source_->tensors();
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (!all[i].name.starts_with(prefix)) continue;
      tensors_.push_back({all[i].name.substr(prefix.size()), all[i].dtype, all[i].shape});
      index_.push_back(i);
    }
  }
  const std::vector<TensorInfo>& tensors() const override { return tensors_; }
  void read(std::size_t i, std::span<std::byte> out) const override {
    source_->read(index_[i], out);
  }
  void read_part(std::size_t i, std::size_t begin, std::span<std::byte> out) const override {
    source_->read_part(index_[i], begin, out);
  }
  std::string origin() const override { return source_->origin(); }

 private:
  std::shared_ptr<const TensorSource> source_;
  std::vector<TensorInfo> tensors_;  // still sorted: they shared the prefix
  std::vector<std::size_t> index_;
};

}  // namespace

void TensorSource::read_part(std::size_t index, std::size_t begin, std::span<std::byte> out) const {
  const TensorInfo& t = tensors()[index];
  check(begin <= t.bytes() && out.size() <= t.bytes() - begin,
        "read_part() stays inside of the tensor");
  const Tensor all(host(), t.dtype, t.shape);
  read(index, {all.data<std::byte>(), all.bytes()});
  std::ranges::copy(std::span(all.data<std::byte>(), all.bytes()).subspan(begin, out.size()),
                    out.begin());
}

std::ptrdiff_t TensorSource::find(std::string_view name) const {
  const auto& all = tensors();
  const auto it = std::ranges::lower_bound(
      all, name, {}, [](const TensorInfo& t) -> std::string_view { return t.name; });
  return it != all.end() && it->name == name ? it - all.begin() : -1;
}

Tensor TensorSource::load(std::string_view name) const {
  const auto i = find(name);
  if (i < 0) fail<LoadError>("{}: has no tensor {}", origin(), name);
  const auto& t = tensors()[static_cast<std::size_t>(i)];
  Tensor out(host(), t.dtype, t.shape);
  read(static_cast<std::size_t>(i), {static_cast<std::byte*>(out.raw()), out.bytes()});
  return out;
}

std::shared_ptr<const TensorSource> with_prefix_removed(std::shared_ptr<const TensorSource> source,
                                                        std::string_view prefix) {
  return std::make_shared<PrefixRemoved>(std::move(source), prefix);
}

}  // namespace mezzo
