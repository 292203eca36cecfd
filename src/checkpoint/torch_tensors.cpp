#include "checkpoint/torch_tensors.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include "base/checked.h"
#include "checkpoint/file_tensors.h"

namespace mezzo {
namespace {

using Id = Pickle::Id;
using Kind = Pickle::Kind;

struct TypeName {
  std::string_view global;
  DType dtype;
};
constexpr std::array kTypes = {
    TypeName{"torch.FloatStorage", DType::kF32},
    TypeName{"torch.HalfStorage", DType::kF16},
    TypeName{"torch.BFloat16Storage", DType::kBF16},
    TypeName{"torch.DoubleStorage", DType::kF64},
    TypeName{"torch.CharStorage", DType::kI8},
    TypeName{"torch.ByteStorage", DType::kU8},
    TypeName{"torch.ShortStorage", DType::kI16},
    TypeName{"torch.IntStorage", DType::kI32},
    TypeName{"torch.LongStorage", DType::kI64},
    TypeName{"torch.BoolStorage", DType::kBool},
    TypeName{"torch.storage.UntypedStorage", DType::kU8},
    TypeName{"torch.UntypedStorage", DType::kU8},
    TypeName{"torch.float8_e4m3fn", DType::kF8E4M3},
    TypeName{"torch.float8_e5m2", DType::kF8E5M2},
    TypeName{"torch.uint16", DType::kU16},
    TypeName{"torch.uint32", DType::kU32},
    TypeName{"torch.uint64", DType::kU64},
    TypeName{"torch.float32", DType::kF32},
    TypeName{"torch.float16", DType::kF16},
    TypeName{"torch.bfloat16", DType::kBF16},
};

// Callables that are understood. Everything else stays a record without meaning.
enum class Builder { kTensor, kTensorWithDType, kParameter, kContainer };
struct Callable {
  std::string_view global;
  Builder builder;
};
constexpr std::array kCallables = {
    Callable{"torch._utils._rebuild_tensor", Builder::kTensor},
    Callable{"torch._utils._rebuild_tensor_v2", Builder::kTensor},
    Callable{"torch._utils._rebuild_tensor_v3", Builder::kTensorWithDType},
    Callable{"torch._utils._rebuild_parameter", Builder::kParameter},
    Callable{"torch._utils._rebuild_parameter_with_state", Builder::kParameter},
    Callable{"torch.nn.parameter.Parameter", Builder::kParameter},
    Callable{"collections.OrderedDict", Builder::kContainer},
    Callable{"collections.defaultdict", Builder::kContainer},
    Callable{"torch.Size", Builder::kContainer},
};

// Modules that no weights file has a reason to name, and single functions of others.
constexpr std::array<std::string_view, 38> kDangerousModules = {
    "os",          "posix",           "nt",        "subprocess", "pty",
    "sys",         "socket",          "shutil",    "runpy",      "importlib",
    "ctypes",      "pickle",          "_pickle",   "webbrowser", "http",
    "urllib",      "requests",        "code",      "codeop",     "builtins",
    "__builtin__", "__builtins__",    "io",        "_io",        "pathlib",
    "tempfile",    "multiprocessing", "threading", "asyncio",    "signal",
    "marshal",     "types",           "operator",  "_operator",  "functools",
    "pip",         "timeit",          "bdb"};
constexpr std::array<std::string_view, 28> kHarmlessNames = {"set",         "frozenset",
                                                             "list",        "dict",
                                                             "tuple",       "int",
                                                             "float",       "bool",
                                                             "str",         "bytes",
                                                             "bytearray",   "complex",
                                                             "slice",       "object",
                                                             "range",       "long",
                                                             "unicode",     "basestring",
                                                             "xrange",      "deque",
                                                             "OrderedDict", "SimpleNamespace",
                                                             "partial",     "PosixPath",
                                                             "WindowsPath", "PurePosixPath",
                                                             "Path",        "BytesIO"};

const Callable* callable_of(const Pickle& p, Id v) {
  if (p.kind(v) != Kind::kCall) return nullptr;
  const auto row = std::ranges::find(kCallables, p.global(p.call(v).callable), &Callable::global);
  return row == kCallables.end() ? nullptr : &*row;
}

bool is_container(const Pickle& p, Id v) {
  const Kind k = p.kind(v);
  if (k == Kind::kCall) {
    const auto* c = callable_of(p, v);
    return !c || c->builder == Builder::kContainer;  // an unknown object may carry items too
  }
  return k == Kind::kDict || k == Kind::kList || k == Kind::kTuple;
}

std::optional<std::vector<std::int64_t>> integers(const Pickle& p, Id v) {
  if (p.kind(v) == Kind::kCall && callable_of(p, v)) {  // torch.Size((..),)
    const Id args = p.call(v).args;
    if (p.kind(args) != Kind::kTuple || p.items(args).size() != 1) return std::nullopt;
    v = p.items(args)[0];
  }
  if (p.kind(v) != Kind::kTuple && p.kind(v) != Kind::kList) return std::nullopt;
  std::vector<std::int64_t> r;
  for (const Id i : p.items(v)) {
    if (p.kind(i) != Kind::kInt) return std::nullopt;
    r.push_back(p.integer(i));
  }
  return r;
}

// The last element that the view touches must lie in the storage, and the view must not be larger
// than it.
void check_view(const TorchTensor& t, const std::string& what) {
  const auto n = t.info.shape.numel();
  if (t.first < 0 || n > t.storage_elements)
    fail<LoadError>(
        "{}: its shape {} needs more than the {} numbers of its storage; the file is damaged or "
        "forged",
        what, to_string(t.info.shape), t.storage_elements);
  std::optional<std::int64_t> last = t.first;
  for (int i = 0; i < t.info.shape.rank() && last; ++i) {
    const std::int64_t stride = t.strides[static_cast<std::size_t>(i)];
    if (stride < 0) fail<LoadError>("{}: negative stride; the file is damaged or forged", what);
    const auto reach = checked_mul(stride, std::max<std::int64_t>(t.info.shape[i] - 1, 0));
    last = reach ? checked_add(*last, *reach) : std::nullopt;
  }
  if (n > 0 && (!last || *last >= t.storage_elements))
    fail<LoadError>("{}: its view reaches beyond its storage; the file is damaged or forged", what);
}

TorchTensor tensor_of(const Pickle& p, Id v, const std::string& name, const std::string& path) {
  const std::string what = path + ": tensor " + name;
  const Callable* c = callable_of(p, v);
  for (int depth = 0; c && c->builder == Builder::kParameter;
       ++depth) {  // the first argument is the tensor
    const Id args = p.call(v).args;
    if (depth == 4 || p.kind(args) != Kind::kTuple || p.items(args).empty())
      fail<LoadError>("{}: malformed parameter", what);
    v = p.items(args)[0];
    c = callable_of(p, v);
  }
  if (!c || (c->builder != Builder::kTensor && c->builder != Builder::kTensorWithDType))
    fail<LoadError>("{}: a parameter that holds no tensor; the file is damaged or forged", what);
  const Id args_id = p.call(v).args;
  if (p.kind(args_id) != Kind::kTuple || p.items(args_id).size() < 4)
    fail<LoadError>("{}: malformed tensor record", what);
  const auto& args = p.items(args_id);  // storage, offset, size, stride, ...
  if (p.kind(args[0]) != Kind::kPersistent || p.kind(args[1]) != Kind::kInt)
    fail<LoadError>("{}: malformed tensor record", what);
  TorchStorage storage = torch_storage(p, args[0], path);
  if (c->builder == Builder::kTensorWithDType) {
    const auto row = args.size() > 6
                         ? std::ranges::find(kTypes, p.global(args[6]), &TypeName::global)
                         : kTypes.end();
    if (row == kTypes.end()) fail<LoadError>("{}: unknown dtype", what);
    storage.elements /= info(row->dtype).bytes;
    storage.dtype = row->dtype;
  }
  const auto size = integers(p, args[2]), stride = integers(p, args[3]);
  if (!size || !stride || size->size() != stride->size())
    fail<LoadError>("{}: malformed shape or strides", what);
  TorchTensor t{{name, storage.dtype, checked_shape(*size, storage.dtype, what)},
                std::move(storage.key),
                storage.elements,
                p.integer(args[1]),
                *stride};
  check_view(t, what);
  return t;
}

bool holds_tensor(const Pickle& p, Id v) {
  const auto* c = callable_of(p, v);
  return c && c->builder != Builder::kContainer;
}

/// A dictionary's key as part of a name; `number` keeps the text of one that is a number.
std::string_view key_text(const Pickle& p, Id key, std::string& number) {
  if (p.kind(key) == Kind::kText) return p.text(key);
  if (p.kind(key) == Kind::kInt) return number = std::to_string(p.integer(key));
  return {};
}

// Everything below `root`, iteratively. A container that was seen is not entered again: shared or
// recursive ones end.
std::vector<std::pair<std::string, Id>> flatten(const Pickle& p, Id root, const std::string& path) {
  constexpr std::size_t kMaxDepth = 64;
  struct Open {
    Id container;
    std::string prefix;
    std::size_t depth;
  };
  std::vector<std::pair<std::string, Id>> found;
  std::vector<Open> open{{root, "", 0}};
  std::set<Id> seen{root};
  const auto visit = [&](const Open& parent, std::string_view key, Id v) {
    const bool fits = parent.prefix.size() + key.size() <= kMaxNameLength;
    const std::size_t depth = parent.depth + 1;
    if (holds_tensor(p, v)) {
      if (found.size() >= kMaxTensors)
        fail<LoadError>("{}: more than {} tensors", path, kMaxTensors);
      if (!fits)
        fail<LoadError>("{}: a tensor's name has more than {} bytes; the file is damaged or forged",
                        path, kMaxNameLength);
      found.emplace_back(parent.prefix + std::string(key), v);
    } else if (fits && is_container(p, v) && depth < kMaxDepth && seen.insert(v).second) {
      open.push_back({v, parent.prefix + std::string(key) + ".", depth});
    }
  };
  while (!open.empty()) {
    const Open o = std::move(open.back());
    open.pop_back();
    const auto& items = p.items(o.container);
    const Kind k = p.kind(o.container);
    if (k == Kind::kList || k == Kind::kTuple) {
      for (std::size_t i = 0; i < items.size(); ++i) visit(o, std::to_string(i), items[i]);
      continue;
    }
    std::string number;
    for (std::size_t i = 0; i + 1 < items.size(); i += 2)
      if (const auto key = key_text(p, items[i], number); !key.empty()) visit(o, key, items[i + 1]);
  }
  return found;
}

}  // namespace

bool is_torch_callable(std::string_view global) {
  return std::ranges::find(kCallables, global, &Callable::global) != kCallables.end();
}

bool is_dangerous(std::string_view global) {
  const auto module = global.substr(0, global.find('.'));
  const auto name = global.substr(global.rfind('.') + 1);
  return std::ranges::find(kDangerousModules, module) != kDangerousModules.end() &&
         std::ranges::find(kHarmlessNames, name) == kHarmlessNames.end();
}

std::string torch_key(const Pickle& p, Id key, const std::string& path) {
  if (p.kind(key) != Kind::kText || p.text(key).size() > kMaxNameLength)
    fail<LoadError>("{}: malformed storage key; the file is damaged or forged", path);
  return std::string(p.text(key));
}

TorchStorage torch_storage(const Pickle& p, Id persistent, const std::string& path) {
  const Id id = p.kind(persistent) == Kind::kPersistent ? p.persistent(persistent) : 0;
  const auto malformed = [&]() {
    fail<LoadError>("{}: malformed storage record; the file is damaged or forged", path);
  };
  if (p.kind(id) != Kind::kTuple || p.items(id).size() < 5) malformed();
  const auto& f =
      p.items(id);  // "storage", type, key, location, number of elements, [view of another storage]
  if (p.kind(f[0]) != Kind::kText || p.text(f[0]) != "storage" || p.kind(f[4]) != Kind::kInt)
    malformed();
  const std::string type = p.global(f[1]);
  const auto row = std::ranges::find(kTypes, type, &TypeName::global);
  if (row == kTypes.end()) fail<LoadError>("{}: storage of the unknown type \"{}\"", path, type);
  const std::int64_t n = p.integer(f[4]);
  if (n < 0 || !byte_size(row->dtype, n)) malformed();
  if (f.size() > 5 && p.kind(f[5]) != Kind::kNone)
    fail<LoadError>(
        "{}: holds storages that are views of others (a very old PyTorch); load and save it again "
        "with torch",
        path);
  return {torch_key(p, f[2], path), row->dtype, n};
}

std::vector<TorchTensor> torch_tensors(const Pickle& p, const std::string& path) {
  Id weights = p.root();
  for (const auto key : {"state_dict", "model", "params_ema", "params"})
    if (const Id v = p.get(p.root(), key);
        v != Pickle::kAbsent && is_container(p, v) && !flatten(p, v, path).empty()) {
      weights = v;
      break;
    }
  std::vector<TorchTensor> tensors;
  if (holds_tensor(p, weights)) {
    tensors.push_back(tensor_of(p, weights, "tensor", path));
  } else if (is_container(p, weights)) {
    for (const auto& [name, id] : flatten(p, weights, path))
      tensors.push_back(tensor_of(p, id, name, path));
  }
  if (tensors.empty()) fail<LoadError>("{}: a pickle without tensors; it is no checkpoint", path);
  return tensors;
}

}  // namespace mezzo
