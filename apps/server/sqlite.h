// SQLite's C interface with owners and exceptions. One connection, shared by the threads of the
// server under its mutex.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace mezzo::server {

class Database;

/// One prepared statement. Values are bound in order; step() gives the rows.
class Statement {
 public:
  Statement(Database& db, std::string_view sql);
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& bind(std::int64_t value);
  Statement& bind(double value);
  Statement& bind(std::string_view text);
  Statement& bind_blob(std::string_view bytes);
  Statement& bind_null();
  /// True while there is a row. Throws DeviceError (disk full, locked, damaged).
  bool step();
  /// All of it, where no rows are expected.
  void run();

  std::int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }
  double number(int column) const { return sqlite3_column_double(statement_, column); }
  std::string text(int column) const;

 private:
  void check(int code) const;
  Database& db_;
  sqlite3_stmt* statement_ = nullptr;
  int bound_ = 0;
};

class Database {
 public:
  /// Opens or makes the server's database. Throws DeviceError naming the file and the remedy: it
  /// cannot be opened, is damaged, or was written by a newer Mezzotint.
  explicit Database(const std::filesystem::path& file);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// Held while statements are used.
  [[nodiscard]] std::unique_lock<std::recursive_mutex> lock() { return std::unique_lock(mutex_); }
  void execute(const char* sql);
  std::int64_t last_id() const { return sqlite3_last_insert_rowid(handle_); }
  sqlite3* handle() { return handle_; }
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  sqlite3* handle_ = nullptr;
  std::recursive_mutex mutex_;
};

/// What is done until commit() is done together, or not at all.
class Transaction {
 public:
  explicit Transaction(Database& db) : db_(db) { db_.execute("BEGIN IMMEDIATE"); }
  ~Transaction() {
    if (!done_) sqlite3_exec(db_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit() {
    db_.execute("COMMIT");
    done_ = true;
  }

 private:
  Database& db_;
  bool done_ = false;
};

}  // namespace mezzo::server
