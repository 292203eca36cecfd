// From the records of a pickle to tensors: which calls mean a tensor, which dictionary holds the
// weights.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/pickle.h"
#include "weights/source.h"

namespace mezzo {

/// A tensor as torch describes it: a strided view of a storage.
struct TorchTensor {
  TensorInfo info;
  std::string storage;                // key
  std::int64_t storage_elements = 0;  // numbers in the storage, in info.dtype
  std::int64_t first = 0;             // element of the storage
  std::vector<std::int64_t> strides;  // in elements, one per dimension
};

/// The tensors of the pickle's state dictionary, checked against the sizes the pickle itself gives.
/// Throws LoadError.
std::vector<TorchTensor> torch_tensors(const Pickle& pickle, const std::string& path);

struct TorchStorage {
  std::string key;
  DType dtype;
  std::int64_t elements;
};
/// The storage a persistent id stands for. Throws LoadError where it is none.
TorchStorage torch_storage(const Pickle& pickle, Pickle::Id persistent, const std::string& path);

/// The key of a storage. Throws LoadError where it is no text of a name's length.
std::string torch_key(const Pickle& pickle, Pickle::Id key, const std::string& path);

/// True for the callables that rebuild tensors and plain containers.
bool is_torch_callable(std::string_view global);
/// True for names that can run code, reach files or the network.
bool is_dangerous(std::string_view global);

}  // namespace mezzo
