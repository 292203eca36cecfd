// Shows activations by module name while a network runs, to find where a number goes wrong.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "tensor/tensor.h"

namespace mezzo {

/// A path in a network and whoever looks: `(trace / "resnets" / 0)(x)` shows x under that module's
/// checkpoint name. Costs nothing where nobody looks.
class Trace {
 public:
  using Look = std::function<void(const std::string& module, const Tensor& output)>;

  Trace() = default;
  explicit Trace(Look look) : look_(std::make_shared<Look>(std::move(look))) {}

  Trace operator/(std::string_view child) const {
    return look_
               ? Trace(look_, path_.empty() ? std::string(child) : path_ + "." + std::string(child))
               : Trace();
  }
  Trace operator/(std::size_t index) const {
    return look_ ? *this / std::to_string(index) : Trace();
  }
  void operator()(const Tensor& output) const {
    if (look_) (*look_)(path_, output);
  }

 private:
  Trace(std::shared_ptr<Look> look, std::string path)
      : look_(std::move(look)), path_(std::move(path)) {}

  std::shared_ptr<Look> look_;
  std::string path_;
};

}  // namespace mezzo
