// The machine: one instruction after the other, and the stack and memory they work on.
#include "checkpoint/pickle.h"

#include <charconv>
#include <cstring>

#include "base/error.h"

namespace mezzo {
namespace {

constexpr std::size_t kMaxOps = 10'000'000;
constexpr std::size_t kMaxStack = 4'000'000;  // references on the stack, and marks
constexpr std::size_t kMaxMemo = 500'000;     // as many as there can be values

struct CutOff {};  // the bytes end inside the pickle

}  // namespace

Pickle::Pickle(std::string_view bytes, std::string what, bool more_may_follow)
    : bytes_(bytes), what_(std::move(what)) {
  if (bytes_.size() > kMaxBytes) bytes_ = bytes_.substr(0, kMaxBytes);
  add(Kind::kNone);
  add(Kind::kBool, 0);
  add(Kind::kBool, 1);
  try {
    run();
  } catch (const CutOff&) {
    if (!more_may_follow) reject("it ends too early (truncated, or longer than 64 MB)");
    cut_off_ = true;
  }
}

void Pickle::reject(const std::string& why) const {
  fail<LoadError>("{}: pickle, byte {}: {}; the file is damaged or forged", what_, pos_, why);
}

void Pickle::run() {
  for (std::size_t ops = 0; !stopped_; ++ops) {
    if (ops == kMaxOps) reject("more than 10 million instructions");
    step(static_cast<std::uint8_t>(take(1)[0]));
    if (stack_.size() + marks_.size() > kMaxStack) reject("too many values");
  }
}

void Pickle::step(std::uint8_t op) {
  if (step_constant(op) || step_container(op) || step_memo(op) || step_call(op)) return;
  switch (op) {
    case 0x80:  // PROTO
      if (number(1) > 5) reject("a protocol later than 5");
      return;
    case 0x95:
      number(8);
      return;  // FRAME: only a hint for buffering
    case '(':
      marks_.push_back(stack_.size());
      return;
    case '0':  // POP
      if (!marks_.empty() && marks_.back() == stack_.size())
        marks_.pop_back();
      else
        pop();
      return;
    case '1':
      pop_to_mark();
      return;
    case '2':
      push(top());
      return;  // DUP
    case '.':
      root_ = pop();
      stopped_ = true;
      return;
    case 0x82:
    case 0x83:
    case 0x84:
      reject("it asks for the extension registry, which is never used here");
    default:
      reject(fmt::format("unknown instruction 0x{:02x}", op));
  }
}

// Pushes what stands in the pickle itself.
bool Pickle::step_constant(std::uint8_t op) {
  const auto text_line = [&] {  // INT, LONG, FLOAT as text
    std::string_view s = line();
    if (s.ends_with('L')) s.remove_suffix(1);
    return s;
  };
  const auto small = [&](int n) { push(add(Kind::kInt, static_cast<std::int64_t>(number(n)))); };
  const auto text = [&](int n) { push(add_text(take(number(n)))); };
  const auto big = [&](std::uint64_t n) {  // two's complement, little endian
    const std::string_view s = take(n);
    if (n > 8) return push(add_text(s));
    std::uint64_t v = 0;
    std::memcpy(&v, s.data(), n);
    if (n > 0 && n < 8 && (v >> (8 * n - 1))) v |= ~0ull << (8 * n);
    push(add(Kind::kInt, static_cast<std::int64_t>(v)));
  };
  switch (op) {
    case 'N':
      push(0);
      return true;
    case 0x89:
      push(1);
      return true;
    case 0x88:
      push(2);
      return true;
    case 'K':
      small(1);
      return true;
    case 'M':
      small(2);
      return true;
    case 'J':
      push(add(Kind::kInt, static_cast<std::int32_t>(number(4))));
      return true;
    case 'I':
    case 'L': {
      const std::string_view s = text_line();
      if (op == 'I' && (s == "00" || s == "01")) {
        push(s == "01" ? 2 : 1);
        return true;
      }
      std::int64_t v = 0;
      if (const auto r = std::from_chars(s.data(), s.data() + s.size(), v);
          r.ec != std::errc() || r.ptr != s.data() + s.size())
        reject("a number that cannot be read");
      push(add(Kind::kInt, v));
      return true;
    }
    case 'F':
      text_line();
      push(add(Kind::kFloat));
      return true;  // floats carry nothing that is used
    case 'G':
      push(add(Kind::kFloat, static_cast<std::int64_t>(number(8))));
      return true;
    case 0x8a:
      big(number(1));
      return true;
    case 0x8b: {
      const auto n = static_cast<std::int32_t>(number(4));
      if (n < 0) reject("a number of negative length");
      big(static_cast<std::uint64_t>(n));
      return true;
    }
    case 'S': {  // a quoted line; keys with escapes do not occur in checkpoints and stay as they
                 // are written
      std::string_view s = line();
      if (s.size() < 2 || s.front() != s.back() || (s.front() != '\'' && s.front() != '"'))
        reject("a string without quotes");
      push(add_text(s.substr(1, s.size() - 2)));
      return true;
    }
    case 'V':
      push(add_text(line()));
      return true;
    case 'U':
    case 'C':
    case 0x8c:
      text(1);
      return true;
    case 'T':
    case 'X':
    case 'B':
      text(4);
      return true;
    case 0x8d:
    case 0x8e:
    case 0x96:
      text(8);
      return true;
    default:
      return false;
  }
}

bool Pickle::step_container(std::uint8_t op) {
  const auto tuple_of = [&](std::size_t n) {
    std::vector<Id> items(n);
    for (std::size_t i = n; i-- > 0;) items[i] = pop();
    push(add_items(Kind::kTuple, std::move(items)));
  };
  const auto from_mark = [&](Kind kind) {
    auto items = pop_to_mark();
    if (kind == Kind::kDict && items.size() % 2) reject("a key without a value");
    push(add_items(kind, std::move(items)));
  };
  switch (op) {
    case ')':
      tuple_of(0);
      return true;
    case 0x85:
      tuple_of(1);
      return true;
    case 0x86:
      tuple_of(2);
      return true;
    case 0x87:
      tuple_of(3);
      return true;
    case ']':
      push(add_items(Kind::kList, {}));
      return true;
    case '}':
      push(add_items(Kind::kDict, {}));
      return true;
    case 0x8f:
      push(add_items(Kind::kSet, {}));
      return true;
    case 't':
      from_mark(Kind::kTuple);
      return true;
    case 'l':
      from_mark(Kind::kList);
      return true;
    case 'd':
      from_mark(Kind::kDict);
      return true;
    case 0x91:
      from_mark(Kind::kSet);
      return true;
    case 'a': {
      const Id v = pop();
      extend(top(), {v}, false);
      return true;
    }
    case 'e':
    case 0x90: {
      const auto items = pop_to_mark();
      extend(top(), items, false);
      return true;
    }
    case 's': {
      const Id value = pop(), key = pop();
      extend(top(), {key, value}, true);
      return true;
    }
    case 'u': {
      const auto items = pop_to_mark();
      if (items.size() % 2) reject("a key without a value");
      extend(top(), items, true);
      return true;
    }
    default:
      return false;
  }
}

bool Pickle::step_memo(std::uint8_t op) {
  const auto slot = [&] {
    const std::string_view s = line();
    std::uint64_t v = 0;
    if (const auto r = std::from_chars(s.data(), s.data() + s.size(), v);
        r.ec != std::errc() || r.ptr != s.data() + s.size())
      reject("a memo number that cannot be read");
    return v;
  };
  switch (op) {
    case 'p':
      remember(slot());
      return true;
    case 'q':
      remember(number(1));
      return true;
    case 'r':
      remember(number(4));
      return true;
    case 0x94:
      remember(memo_.size() + sparse_memo_.size());
      return true;
    case 'g':
      recall(slot());
      return true;
    case 'h':
      recall(number(1));
      return true;
    case 'j':
      recall(number(4));
      return true;
    default:
      return false;
  }
}

// Everything that asks Python to find or call something: written down, never done.
bool Pickle::step_call(std::uint8_t op) {
  switch (op) {
    case 'c': {
      const auto module = line(), name = line();
      push(add_global(module, name));
      return true;
    }
    case 0x93: {  // STACK_GLOBAL
      const Id name = pop(), module = pop();
      if (kind(name) != Kind::kText || kind(module) != Kind::kText)
        reject("a global without a name");
      push(add_global(text(module), text(name)));
      return true;
    }
    case 'R':
    case 0x81: {  // REDUCE, NEWOBJ
      const Id args = pop(), callable = pop();
      push(add_call(callable, args));
      return true;
    }
    case 0x92: {  // NEWOBJ_EX
      pop();
      const Id args = pop(), callable = pop();
      push(add_call(callable, args));
      return true;
    }
    case 'i': {
      const auto module = line(), name = line();
      const Id args = add_items(Kind::kTuple, pop_to_mark());
      push(add_call(add_global(module, name), args));
      return true;
    }
    case 'o': {
      auto items = pop_to_mark();
      if (items.empty()) reject("OBJ without a class");
      const Id callable = items.front();
      items.erase(items.begin());
      push(add_call(callable, add_items(Kind::kTuple, std::move(items))));
      return true;
    }
    case 'b': {  // BUILD
      const Id state = pop(), object = top();
      if (kind(object) != Kind::kCall) reject("a state for what is no object");
      calls_[values_[object].index].state = state;
      return true;
    }
    case 'P':
    case 'Q': {
      const Id id = op == 'P' ? add_text(line()) : pop();
      persistents_.push_back(add(Kind::kPersistent, 0, id));
      push(persistents_.back());
      return true;
    }
    default:
      return false;
  }
}

std::string_view Pickle::take(std::uint64_t n) {
  if (n > bytes_.size() - pos_) throw CutOff();
  const auto s = bytes_.substr(pos_, n);
  pos_ += n;
  return s;
}

std::string_view Pickle::line() {
  const auto end = bytes_.find('\n', pos_);
  if (end == std::string_view::npos) throw CutOff();
  auto s = take(end - pos_);
  take(1);
  if (s.ends_with('\r')) s.remove_suffix(1);
  return s;
}

std::uint64_t Pickle::number(int bytes) {
  const auto s = take(static_cast<std::uint64_t>(bytes));
  std::uint64_t v = 0;
  std::memcpy(&v, s.data(), s.size());
  return v;
}

void Pickle::push(Id v) { stack_.push_back(v); }

Pickle::Id Pickle::pop() {
  const Id v = top();
  stack_.pop_back();
  return v;
}

Pickle::Id Pickle::top() const {
  if (stack_.empty() || (!marks_.empty() && marks_.back() == stack_.size()))
    reject("it takes more values than there are");
  return stack_.back();
}

std::vector<Pickle::Id> Pickle::pop_to_mark() {
  if (marks_.empty()) reject("no mark where one is needed");
  std::vector<Id> items(stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back()), stack_.end());
  stack_.resize(marks_.back());
  marks_.pop_back();
  return items;
}

void Pickle::remember(std::uint64_t slot) {
  const Id v = top();
  if (slot < memo_.size())
    memo_[slot] = v;
  else if (slot > memo_.size())
    sparse_memo_[slot] = v;
  else {
    memo_.push_back(v);
    sparse_memo_.erase(slot);
  }
  if (memo_.size() + sparse_memo_.size() > kMaxMemo) reject("more than 500000 values in its memo");
}

void Pickle::recall(std::uint64_t slot) {
  if (const auto it = sparse_memo_.find(slot); it != sparse_memo_.end()) return push(it->second);
  if (slot >= memo_.size()) reject("it recalls what was never stored");
  push(memo_[slot]);
}

}  // namespace mezzo
