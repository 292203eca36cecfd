// A data-only reader of Python pickles (protocols 0-5, the opcode table of CPython's pickletools).
// Nothing in a pickle is ever run or looked up: a call becomes a record of what was asked for, and
// the reader of the result decides which records it understands. One pass, no recursion, values by
// reference: size and time follow the number of opcodes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace mezzo {

class Pickle {
 public:
  static constexpr std::size_t kMaxBytes = 64u << 20;  // what lies behind them is not read
  static constexpr std::size_t kMaxName = 1024;        // bytes of a module, or of a name in it

  using Id = std::uint32_t;  // of a value
  enum class Kind : std::uint8_t {
    kNone,
    kBool,
    kInt,
    kFloat,
    kText,
    kTuple,
    kList,
    kSet,
    kDict,
    kGlobal,
    kCall,
    kPersistent
  };
  /// A call that was asked for: callable(*args), then the state given by BUILD (0: none, the value
  /// None).
  struct Call {
    Id callable, args, state;
  };

  /// Reads one pickle from the beginning of `bytes`, which must outlive this. `what` names it in
  /// messages. Throws LoadError. With `more_may_follow`, sets cut_off() instead of throwing when
  /// the bytes end too early.
  Pickle(std::string_view bytes, std::string what, bool more_may_follow = false);

  bool cut_off() const { return cut_off_; }
  std::size_t consumed() const { return pos_; }  // bytes up to and with STOP
  Id root() const { return root_; }

  Kind kind(Id v) const { return values_[v].kind; }
  bool boolean(Id v) const { return values_[v].number != 0; }
  std::int64_t integer(Id v) const { return values_[v].number; }
  std::string_view text(Id v) const;  // strings, bytes, integers beyond 64 bits (little endian)
  const std::vector<Id>& items(
      Id v) const;  // tuple, list, set; dict and call: key, value, key, value ...
  const Call& call(Id v) const { return calls_[values_[v].index]; }
  Id persistent(Id v) const { return values_[v].index; }  // the persistent id, usually a tuple
  std::string global(Id v) const;  // "module.name"; empty when v is no global

  /// Value of a text key in a dict or in the items given to a call, or nothing (npos).
  Id get(Id dict, std::string_view key) const;
  static constexpr Id kAbsent = 0xffffffff;

  /// Every global that was called (not only named), once each, in order.
  const std::vector<std::string>& called() const { return called_; }
  /// Every global that occurs at all.
  const std::vector<std::string>& named() const { return named_; }
  const std::vector<Id>& persistents() const { return persistents_; }

 private:
  struct Value {
    Kind kind;
    std::uint32_t index = 0;  // into containers_, calls_; text: length; persistent: its id
    std::int64_t number =
        0;  // text: offset in bytes_; global: offset of module (index: into globals_)
  };
  struct Global {
    std::string_view module, name;
    bool called;
  };

  void run();
  void step(std::uint8_t op);
  bool step_constant(std::uint8_t op);
  bool step_container(std::uint8_t op);
  bool step_memo(std::uint8_t op);
  bool step_call(std::uint8_t op);

  [[noreturn]] void reject(const std::string& why) const;
  std::string_view take(std::uint64_t n);
  std::string_view line();
  std::uint64_t number(int bytes);

  Id add(Kind kind, std::int64_t n = 0, std::uint32_t index = 0);
  Id add_text(std::string_view s);
  Id add_items(Kind kind, std::vector<Id> items);
  Id add_global(std::string_view module, std::string_view name);
  Id add_call(Id callable, Id args);
  void push(Id v);
  Id pop();
  Id top() const;
  std::vector<Id> pop_to_mark();
  void extend(Id target, const std::vector<Id>& items, bool pairs);
  void remember(std::uint64_t slot);
  void recall(std::uint64_t slot);

  std::string_view bytes_;
  std::string what_;
  std::size_t pos_ = 0;
  bool cut_off_ = false, stopped_ = false;
  Id root_ = 0;
  std::vector<Value> values_;
  std::vector<std::vector<Id>> containers_;
  std::vector<Global> globals_;
  std::vector<Call> calls_;
  std::vector<std::uint32_t> call_items_;  // container of what was added to a call's result
  std::vector<Id> stack_;
  std::vector<std::size_t> marks_;
  std::vector<Id> memo_;                               // slots 0, 1, 2 ...
  std::unordered_map<std::uint64_t, Id> sparse_memo_;  // the others
  std::vector<std::string> called_, named_;
  std::vector<Id> persistents_;
  std::unordered_map<std::string, Id> interned_globals_;
};

}  // namespace mezzo
