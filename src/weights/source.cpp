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
  std::string origin() const override { return source_->origin(); }

 private:
  std::shared_ptr<const TensorSource> source_;
  std::vector<TensorInfo> tensors_;  // still sorted: they shared the prefix
  std::vector<std::size_t> index_;
};

}  // namespace

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
