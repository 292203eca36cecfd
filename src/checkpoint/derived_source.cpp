#include "checkpoint/derived_source.h"

#include <algorithm>

#include "tensor/convert.h"

namespace mezzo {
namespace {

class Derived final : public TensorSource {
 public:
  Derived(std::shared_ptr<const TensorSource> source, const std::vector<bool>& hidden,
          std::vector<DerivedTensor> derived)
      : source_(std::move(source)), derived_(std::move(derived)) {
    std::vector<std::pair<TensorInfo, Place>> all;
    for (std::size_t i = 0; i < hidden.size(); ++i)
      if (!hidden[i]) all.push_back({source_->tensors()[i], {false, i}});
    for (std::size_t i = 0; i < derived_.size(); ++i) all.push_back({derived_[i].info, {true, i}});
    std::ranges::sort(all, {}, [](const auto& t) -> const std::string& { return t.first.name; });
    for (auto& [tensor, place] : all) {
      tensors_.push_back(std::move(tensor));
      places_.push_back(place);
    }
  }
  const std::vector<TensorInfo>& tensors() const override { return tensors_; }
  void read(std::size_t i, std::span<std::byte> out) const override {
    const Place& p = places_[i];
    check(out.size() == tensors_[i].bytes(), "read() gets room for exactly one tensor");
    p.derived ? derived_[p.index].read(out) : source_->read(p.index, out);
  }
  void read_part(std::size_t i, std::size_t begin, std::span<std::byte> out) const override {
    const Place& p = places_[i];
    p.derived ? TensorSource::read_part(i, begin, out) : source_->read_part(p.index, begin, out);
  }
  std::string origin() const override { return source_->origin(); }

 private:
  struct Place {
    bool derived;
    std::size_t index;
  };
  std::shared_ptr<const TensorSource> source_;
  std::vector<DerivedTensor> derived_;
  std::vector<TensorInfo> tensors_;
  std::vector<Place> places_;
};

}  // namespace

std::shared_ptr<const TensorSource> with_derived(std::shared_ptr<const TensorSource> source,
                                                 const std::vector<bool>& hidden,
                                                 std::vector<DerivedTensor> derived) {
  return std::make_shared<const Derived>(std::move(source), hidden, std::move(derived));
}

std::vector<float> load_floats(const TensorSource& source, std::size_t index) {
  const TensorInfo& t = source.tensors()[index];
  std::vector<std::byte> stored(t.bytes());
  source.read(index, stored);
  std::vector<float> values(static_cast<std::size_t>(t.shape.numel()));
  to_float(t.dtype, stored.data(), t.shape.numel(), values.data());
  return values;
}

}  // namespace mezzo
