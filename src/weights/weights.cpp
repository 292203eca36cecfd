#include "weights/weights.h"

#include <algorithm>
#include <array>
#include <span>

#include <fmt/ranges.h>

#include "tensor/convert.h"

namespace mezzo {

struct Weights::Shared {
  std::shared_ptr<const TensorSource> source;
  Backend& backend;
  Precision precision;
  std::string name;
  std::vector<bool> used;
  std::vector<std::string> problems;
  std::optional<std::uint64_t> may_hold = {};  // bytes; nothing: everything is held
  std::shared_ptr<Tensor> space =
      {};  // of the last large tensor: most layers are done with it soon

  Tensor allocate(DType dtype, const Shape& shape);
};

namespace {

constexpr std::size_t kLarge = 1u << 20;

constexpr std::size_t kListed = 8;

/// [out, in] and [out, in, 1, 1] are the same matrix: checkpoints hold 1x1 convolutions both ways.
/// GGUF files forget a leading 1.
bool same_matrix(const Shape& a, const Shape& b) {
  auto core = [](const Shape& s) {
    auto d = s.dims();
    while (d.size() > 1 && d.back() == 1) d = d.first(d.size() - 1);
    while (d.size() > 1 && d.front() == 1) d = d.subspan(1);
    return d;
  };
  return std::ranges::equal(core(a), core(b));
}

/// Parts of the canonical names of layers whose rounding shows most (TensorRT's exclusion list for
/// diffusion models; reference: NVIDIA Model Optimizer), and of those too small to matter.
constexpr std::array<std::string_view, 13> kSensitive = {
    "conv_in",          "conv_out",   "time_embedding",         "time_emb_proj", "conv_shortcut",
    "proj_out",         "quant_conv", "position_embedding",     "pos_embed",     "time_text_embed",
    "context_embedder", "norm_out",   "relative_attention_bias"};

}  // namespace

/// Memory for a tensor of the file. Fresh pages cost more than reading into them, so a large tensor
/// takes over those of the one before when nobody holds that any more.
Tensor Weights::Shared::allocate(DType dtype, const Shape& shape) {
  const auto bytes = static_cast<std::size_t>(byte_size(dtype, shape.numel()).value_or(0));
  if (bytes < kLarge) return Tensor(host(), dtype, shape);
  if (space.use_count() != 1 || space->bytes() < bytes) {
    space.reset();
    space = std::make_shared<Tensor>(host(), DType::kU8, Shape{static_cast<std::int64_t>(bytes)});
  }
  return Tensor(space, space->raw(), host(), dtype, shape);
}

bool is_sensitive(std::string_view name) {
  return std::ranges::any_of(kSensitive,
                             [&](auto part) { return name.find(part) != std::string_view::npos; });
}

Weights::Weights(std::shared_ptr<const TensorSource> source, Backend& backend, Precision precision,
                 std::string name)
    : shared_(new Shared{.source = source,
                         .backend = backend,
                         .precision = precision,
                         .name = std::move(name),
                         .used = {},
                         .problems = {}}) {
  shared_->used.resize(shared_->source->tensors().size());
}

Weights Weights::operator/(std::string_view child) const {
  Weights w = *this;
  w.prefix_ = fmt::format("{}{}.", prefix_, child);
  return w;
}

Weights Weights::without_integers() const {
  Weights w = *this;
  w.integers_ = false;
  return w;
}

bool Weights::has(std::string_view tensor) const {
  return shared_->source->has(fmt::format("{}{}", prefix_, tensor));
}

Weights::Found Weights::look_up(std::string_view tensor, const Shape& shape) const {
  auto& s = *shared_;
  const auto name = fmt::format("{}{}", prefix_, tensor);
  const auto i = s.source->find(name);
  const bool right =
      i >= 0 && same_matrix(s.source->tensors()[static_cast<std::size_t>(i)].shape, shape);
  if (i >= 0) s.used[static_cast<std::size_t>(i)] = true;
  if (i < 0)
    s.problems.push_back(fmt::format("{}.{} {} is missing", s.name, name, to_string(shape)));
  else if (!right)
    s.problems.push_back(
        fmt::format("{}.{}: expected {}, found {}", s.name, name, to_string(shape),
                    to_string(s.source->tensors()[static_cast<std::size_t>(i)].shape)));
  if (!right && s.backend.has_data()) finish();
  return {i, right};
}

Tensor Weights::get(std::string_view tensor, const Shape& shape) const {
  auto& s = *shared_;
  const auto [i, right] = look_up(tensor, shape);
  const DType dtype = i < 0 ? DType::kF32 : s.source->tensors()[static_cast<std::size_t>(i)].dtype;
  if (!s.backend.has_data())
    return Tensor(nullptr, nullptr, host(), right ? dtype : DType::kF32, shape);
  Tensor out = s.allocate(dtype, shape);
  s.source->read(static_cast<std::size_t>(i), {static_cast<std::byte*>(out.raw()), out.bytes()});
  return out;
}

LazyTensor Weights::lazy(std::string_view tensor, const Shape& shape) const {
  const auto found = look_up(tensor, shape);
  return {shared_->source, static_cast<std::size_t>(std::max<std::ptrdiff_t>(found.index, 0)),
          path(tensor)};
}

void Weights::stream(std::uint64_t held) { shared_->may_hold = held; }

bool Weights::streamed() const { return shared_->may_hold.has_value(); }

bool Weights::holds(std::string_view tensor, const Shape& shape) const {
  auto& s = *shared_;
  if (!s.may_hold) return true;
  const auto i = s.source->find(fmt::format("{}{}", prefix_, tensor));
  const DType stored = i < 0 ? DType::kF32 : s.source->tensors()[static_cast<std::size_t>(i)].dtype;
  const bool kept =
      is_quantized(stored) || is_float8(stored) || stored == DType::kF16 || stored == DType::kBF16;
  const bool whole = s.precision == Precision::kF32 || s.precision == Precision::kAuto;
  const DType packed = precision() == Precision::kInt8 ? DType::kI8
                       : kept                          ? stored
                       : whole                         ? DType::kF32
                                                       : DType::kBF16;
  const auto bytes = static_cast<std::uint64_t>(byte_size(packed, shape.numel()).value_or(0));
  if (bytes > *s.may_hold) return false;
  *s.may_hold -= bytes;
  return true;
}

void Weights::pass_over(std::string_view tensor) const {
  const auto i = shared_->source->find(fmt::format("{}{}", prefix_, tensor));
  if (i >= 0) shared_->used[static_cast<std::size_t>(i)] = true;
}

void LazyTensor::read(std::int64_t begin, std::int64_t count, float* out) const {
  const TensorInfo& t = source_->tensors()[index_];
  const auto first = byte_size(t.dtype, begin), bytes = byte_size(t.dtype, count);
  if (!first || !bytes)
    fail<LoadError>("{}: rows of {} numbers cannot be read from {}", path_, count, name(t.dtype));
  std::vector<std::byte> stored(static_cast<std::size_t>(*bytes));
  source_->read_part(index_, static_cast<std::size_t>(*first), stored);
  to_float(t.dtype, stored.data(), count, out);
}

std::vector<std::string> Weights::problems() const { return shared_->problems; }

std::vector<std::string> Weights::finish() const {
  auto& s = *shared_;
  if (!s.problems.empty()) {
    const auto n = std::min(s.problems.size(), kListed);
    fail<LoadError>(
        "{}: does not fit the {} that its config describes: {}{}; check that the file is complete "
        "and its config.json is its own",
        s.source->origin(), s.name, fmt::join(std::span(s.problems).first(n), ", "),
        s.problems.size() > n ? fmt::format(" and {} more", s.problems.size() - n) : "");
  }
  std::vector<std::string> unused;
  for (std::size_t i = 0; i < s.used.size(); ++i)
    if (!s.used[i]) unused.push_back(s.source->tensors()[i].name);
  return unused;
}

Backend& Weights::backend() const { return shared_->backend; }
Precision Weights::precision() const {
  const bool exact = !integers_ || is_sensitive(prefix_);
  return exact ? without_int8(shared_->precision) : shared_->precision;
}
std::string Weights::path(std::string_view tensor) const {
  return fmt::format("{}.{}{}", shared_->name, prefix_, tensor);
}

}  // namespace mezzo
