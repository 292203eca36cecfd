#include "checkpoint/merged_source.h"

#include <algorithm>

namespace mezzo {
namespace {

class Merged final : public TensorSource {
 public:
  Merged(std::vector<std::shared_ptr<const TensorSource>> parts, std::string origin)
      : parts_(std::move(parts)), origin_(std::move(origin)) {
    for (std::size_t p = 0; p < parts_.size(); ++p)
      for (std::size_t i = 0; i < parts_[p]->tensors().size(); ++i) places_.push_back({p, i});
    std::ranges::sort(places_, {},
                      [&](const Place& at) -> const std::string& { return info(at).name; });
    for (const Place& at : places_) {
      if (!infos_.empty() && infos_.back().name == info(at).name)
        fail<LoadError>("{}: tensor {} is in two of the files; use files of one model", origin_,
                        info(at).name);
      infos_.push_back(info(at));
    }
  }
  const std::vector<TensorInfo>& tensors() const override { return infos_; }
  void read(std::size_t i, std::span<std::byte> out) const override {
    parts_[places_[i].part]->read(places_[i].index, out);
  }
  void read_part(std::size_t i, std::size_t begin, std::span<std::byte> out) const override {
    parts_[places_[i].part]->read_part(places_[i].index, begin, out);
  }
  std::string origin() const override { return origin_; }

 private:
  struct Place {
    std::size_t part, index;
  };
  const TensorInfo& info(const Place& at) const { return parts_[at.part]->tensors()[at.index]; }

  std::vector<std::shared_ptr<const TensorSource>> parts_;
  std::string origin_;
  std::vector<Place> places_;
  std::vector<TensorInfo> infos_;
};

}  // namespace

std::shared_ptr<const TensorSource> merged(std::vector<std::shared_ptr<const TensorSource>> parts,
                                           std::string origin) {
  return std::make_shared<const Merged>(std::move(parts), std::move(origin));
}

}  // namespace mezzo
