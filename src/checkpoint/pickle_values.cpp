// The values that a pickle makes, and the questions its readers ask of them.
#include <utility>

#include "base/error.h"
#include "checkpoint/pickle.h"

namespace mezzo {
namespace {

constexpr std::size_t kMaxValues = 500'000;  // a checkpoint with optimiser state has about 50,000
constexpr std::size_t kMaxGlobals = 10'000;

}  // namespace

Pickle::Id Pickle::add(Kind kind, std::int64_t n, std::uint32_t index) {
  if (values_.size() >= kMaxValues) reject("more than 500000 values");
  values_.push_back({kind, index, n});
  return static_cast<Id>(values_.size() - 1);
}

Pickle::Id Pickle::add_text(std::string_view s) {
  return add(Kind::kText, s.empty() ? 0 : s.data() - bytes_.data(),
             static_cast<std::uint32_t>(s.size()));
}

Pickle::Id Pickle::add_items(Kind kind, std::vector<Id> items) {
  containers_.push_back(std::move(items));
  return add(kind, 0, static_cast<std::uint32_t>(containers_.size() - 1));
}

Pickle::Id Pickle::add_global(std::string_view module, std::string_view name) {
  if (module.size() > kMaxName || name.size() > kMaxName)
    reject(fmt::format("the name of a module or function of more than {} bytes", kMaxName));
  const std::string full = std::string(module) + "." + std::string(name);
  if (const auto it = interned_globals_.find(full); it != interned_globals_.end())
    return it->second;
  if (globals_.size() >= kMaxGlobals) reject("too many different names");
  globals_.push_back({module, name, false});
  named_.push_back(full);
  return interned_globals_[full] =
             add(Kind::kGlobal, 0, static_cast<std::uint32_t>(globals_.size() - 1));
}

Pickle::Id Pickle::add_call(Id callable, Id args) {
  if (kind(callable) == Kind::kGlobal) {
    auto& g = globals_[values_[callable].index];
    if (!std::exchange(g.called, true)) called_.push_back(global(callable));
  }
  calls_.push_back({callable, args, 0});
  containers_.emplace_back();
  call_items_.push_back(static_cast<std::uint32_t>(containers_.size() - 1));
  return add(Kind::kCall, 0, static_cast<std::uint32_t>(calls_.size() - 1));
}

// Adds to a list or set, or pairs to a dict; a call's result may be either.
void Pickle::extend(Id target, const std::vector<Id>& items, bool pairs) {
  const Kind k = kind(target);
  const bool fits =
      k == Kind::kCall || (pairs ? k == Kind::kDict : k == Kind::kList || k == Kind::kSet);
  if (!fits) reject("items for what cannot hold them");
  auto& to =
      containers_[k == Kind::kCall ? call_items_[values_[target].index] : values_[target].index];
  to.insert(to.end(), items.begin(), items.end());
}

std::string_view Pickle::text(Id v) const {
  return bytes_.substr(static_cast<std::size_t>(values_[v].number), values_[v].index);
}

const std::vector<Pickle::Id>& Pickle::items(Id v) const {
  const auto i = values_[v].index;
  return containers_[kind(v) == Kind::kCall ? call_items_[i] : i];
}

std::string Pickle::global(Id v) const {
  if (kind(v) != Kind::kGlobal) return {};
  const auto& g = globals_[values_[v].index];
  return std::string(g.module) + "." + std::string(g.name);
}

Pickle::Id Pickle::get(Id dict, std::string_view key) const {
  if (kind(dict) != Kind::kDict && kind(dict) != Kind::kCall) return kAbsent;
  const auto& all = items(dict);
  for (std::size_t i = 0; i + 1 < all.size(); i += 2)
    if (kind(all[i]) == Kind::kText && text(all[i]) == key) return all[i + 1];
  return kAbsent;
}

}  // namespace mezzo
