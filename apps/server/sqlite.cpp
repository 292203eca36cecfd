#include "server/sqlite.h"

#include <array>

#include <fmt/format.h>

#include "mezzotint/errors.h"

namespace mezzo::server {
namespace {

constexpr const char* kJobsAndImages = R"sql(
CREATE TABLE jobs(
  id INTEGER PRIMARY KEY, rank REAL NOT NULL, state TEXT NOT NULL, kind TEXT NOT NULL,
  created TEXT NOT NULL, started TEXT NOT NULL, finished TEXT NOT NULL, request TEXT NOT NULL,
  draw TEXT NOT NULL, init BLOB, mask BLOB, images TEXT NOT NULL, warnings TEXT NOT NULL,
  error TEXT NOT NULL, kills INTEGER NOT NULL);
CREATE TABLE images(
  id INTEGER PRIMARY KEY AUTOINCREMENT, file TEXT NOT NULL UNIQUE, created TEXT NOT NULL,
  width INTEGER NOT NULL, height INTEGER NOT NULL, bytes INTEGER NOT NULL, prompt TEXT NOT NULL,
  negative_prompt TEXT NOT NULL, model TEXT NOT NULL, sampler TEXT NOT NULL, steps INTEGER NOT NULL,
  guidance REAL NOT NULL, seed INTEGER NOT NULL, favourite INTEGER NOT NULL DEFAULT 0,
  request TEXT NOT NULL, infotext TEXT NOT NULL, trashed INTEGER);
CREATE VIRTUAL TABLE words USING fts5(prompt, negative_prompt, content='images', content_rowid='id');
CREATE TRIGGER images_added AFTER INSERT ON images BEGIN
  INSERT INTO words(rowid, prompt, negative_prompt)
    VALUES(new.id, new.prompt, new.negative_prompt);
END;
CREATE TRIGGER images_removed AFTER DELETE ON images BEGIN
  INSERT INTO words(words, rowid, prompt, negative_prompt)
    VALUES('delete', old.id, old.prompt, old.negative_prompt);
END;
)sql";

constexpr const char* kTags = R"sql(
CREATE TABLE tags(
  image INTEGER NOT NULL, tag TEXT NOT NULL COLLATE NOCASE, PRIMARY KEY(image, tag)) WITHOUT ROWID;
CREATE INDEX tags_by_name ON tags(tag);
CREATE TRIGGER images_untagged AFTER DELETE ON images BEGIN
  DELETE FROM tags WHERE image = old.id;
END;
)sql";

/// The first makes a database of version 1, each other one brings it to the next.
constexpr std::array kVersions = {kJobsAndImages, kTags};

}  // namespace

Statement::Statement(Database& db, std::string_view sql) : db_(db) {
  check(sqlite3_prepare_v2(db.handle(), sql.data(), static_cast<int>(sql.size()), &statement_,
                           nullptr));
}

Statement::~Statement() { sqlite3_finalize(statement_); }

void Statement::check(int code) const {
  if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE) return;
  throw DeviceError(
      fmt::format("{}: {}{}", db_.name(), sqlite3_errmsg(db_.handle()),
                  code == SQLITE_FULL ? "; free some space on the disk and try again" : ""));
}

Statement& Statement::bind(std::int64_t value) {
  check(sqlite3_bind_int64(statement_, ++bound_, value));
  return *this;
}

Statement& Statement::bind(double value) {
  check(sqlite3_bind_double(statement_, ++bound_, value));
  return *this;
}

Statement& Statement::bind(std::string_view text) {
  check(sqlite3_bind_text64(statement_, ++bound_, text.data(), text.size(), SQLITE_TRANSIENT,
                            SQLITE_UTF8));
  return *this;
}

Statement& Statement::bind_blob(std::string_view bytes) {
  check(sqlite3_bind_blob64(statement_, ++bound_, bytes.data() ? bytes.data() : "", bytes.size(),
                            SQLITE_TRANSIENT));
  return *this;
}

Statement& Statement::bind_null() {
  check(sqlite3_bind_null(statement_, ++bound_));
  return *this;
}

bool Statement::step() {
  const int code = sqlite3_step(statement_);
  check(code);
  return code == SQLITE_ROW;
}

void Statement::run() {
  while (step()) {
  }
}

std::string Statement::text(int column) const {
  const void* bytes = sqlite3_column_blob(statement_, column);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
  return bytes == nullptr ? "" : std::string(static_cast<const char*>(bytes), size);
}

Database::Database(const std::filesystem::path& file) : name_(file.string()) {
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX;
  try {
    if (sqlite3_open_v2(name_.c_str(), &handle_, flags, nullptr) != SQLITE_OK)
      throw DeviceError(sqlite3_errmsg(handle_));
    sqlite3_busy_timeout(handle_, 5000);
    execute("PRAGMA journal_mode = WAL");
    execute("PRAGMA synchronous = FULL");
    std::int64_t version = 0;
    {
      Statement s(*this, "PRAGMA user_version");
      if (s.step()) version = s.integer(0);
    }
    if (version > static_cast<std::int64_t>(kVersions.size()))
      throw DeviceError("it was written by a newer Mezzotint; use that one, or another folder");
    for (auto next = static_cast<std::size_t>(version); next < kVersions.size(); ++next) {
      Transaction transaction(*this);
      execute(kVersions[next]);
      execute(fmt::format("PRAGMA user_version = {}", next + 1).c_str());
      transaction.commit();
    }
  } catch (const DeviceError& e) {
    const std::string why = e.what();
    sqlite3_close(handle_);
    throw DeviceError(fmt::format(
        "the gallery's database {} cannot be used ({}); the pictures are untouched: where it is "
        "damaged, move it away and make it again with mezzo gallery rebuild",
        name_, why));
  }
}

Database::~Database() { sqlite3_close(handle_); }

void Database::execute(const char* sql) {
  if (sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr) != SQLITE_OK)
    throw DeviceError(sqlite3_errmsg(handle_));
}

}  // namespace mezzo::server
