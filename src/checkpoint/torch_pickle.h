// Checkpoints written by torch.save: the zip layout (PyTorch 1.6 and later) and the older single
// stream. Tensors, views with strides, nn.Parameter, nested dictionaries. Nothing in them is
// executed (checkpoint/pickle.h).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "weights/source.h"

namespace mezzo {

/// What a pickle asks Python to do, besides rebuilding tensors. None of it is done here.
struct PickleRequests {
  std::vector<std::string> called;  // foreign callables, "module.name"
  std::vector<std::string>
      dangerous;  // of everything named: what can run code, read or write files ...
};

/// Opens a checkpoint: the tensors of its state dictionary (`state_dict`, `model`, `params_ema`,
/// `params`, or all of it), nested names joined by dots. Throws LoadError, also for pickles that
/// ask for something dangerous.
std::shared_ptr<const TensorSource> open_torch(const fs::path& path);

/// For the curious: what it asks for. Throws LoadError when the file is no pickle at all.
PickleRequests pickle_requests(const fs::path& path);

}  // namespace mezzo
