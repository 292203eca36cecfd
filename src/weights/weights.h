// The weights of one network while it is built: a source and a path in it. `w / "conv1"` is "cd";
// get() checks shapes. A layer asks for its tensors by their checkpoint names, so the name in the
// file is the name in the code.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "weights/source.h"

namespace mezzo {

/// A tensor that stays in its file: parts of it are read when they are needed.
class LazyTensor {
 public:
  LazyTensor(std::shared_ptr<const TensorSource> source, std::size_t index, std::string path)
      : source_(std::move(source)), index_(index), path_(std::move(path)) {}
  /// Values begin .. begin + count - 1, in row-major order. Throws LoadError.
  void read(std::int64_t begin, std::int64_t count, float* out) const;

 private:
  std::shared_ptr<const TensorSource> source_;
  std::size_t index_;
  std::string path_;
};

/// Layers whose rounding shows most in pictures: they keep 16 bits when the rest is quantised or
/// multiplied in 8-bit integers. `name`: canonical name of a tensor or layer.
bool is_sensitive(std::string_view name);

class Weights {
 public:
  /// `name` of the network in messages: "unet". Precision: how its layers pack their products.
  Weights(std::shared_ptr<const TensorSource> source, Backend& backend, Precision precision,
          std::string name);

  Weights operator/(std::string_view child) const;
  Weights operator/(std::size_t index) const { return *this / std::to_string(index); }

  /// The same path for a layer that shall not be multiplied in integers of 8 bits.
  Weights without_integers() const;

  bool has(std::string_view tensor) const;
  /// The tensor on the host, in the file's type. Where the backend holds no data, neither does the
  /// result, and a missing tensor or a wrong shape is noted for finish(): building a network while
  /// counting lists all that is wrong with its file. Otherwise the first throws LoadError.
  Tensor get(std::string_view tensor, const Shape& shape) const;

  /// The tensor without reading it; what is wrong with it is noted or thrown as by get().
  LazyTensor lazy(std::string_view tensor, const Shape& shape) const;
  /// From here on this network's layers do not hold their weights: they read and pack them anew at
  /// each use, but for the first ones up to `held` bytes in memory.
  void stream(std::uint64_t held);
  bool streamed() const;
  /// Whether a layer shall hold this tensor; takes its bytes from what may be held.
  bool holds(std::string_view tensor, const Shape& shape) const;

  /// A tensor that may be there and is not needed: it counts as used and is not read.
  void pass_over(std::string_view tensor) const;

  /// After the network is built: throws LoadError listing every missing and misshapen tensor.
  /// Returns the unused ones.
  std::vector<std::string> finish() const;
  /// What finish() would throw about, for reports.
  std::vector<std::string> problems() const;

  Backend& backend() const;
  /// Of this layer: sensitive ones are not multiplied in integers.
  Precision precision() const;
  std::string path(std::string_view tensor) const;  // with the network's name: unet.conv_in.weight

 private:
  struct Shared;
  struct Found {
    std::ptrdiff_t index;  // -1: there is none
    bool right;            // there, and of the shape that was asked for
  };
  Found look_up(std::string_view tensor, const Shape& shape) const;
  Weights(std::shared_ptr<Shared> shared, std::string prefix)
      : shared_(std::move(shared)), prefix_(std::move(prefix)) {}

  std::shared_ptr<Shared> shared_;
  std::string prefix_;  // "down_blocks.0."
  bool integers_ = true;
};

}  // namespace mezzo
