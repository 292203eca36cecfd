#include "server/gallery.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <set>
#include <sstream>

#include <fmt/format.h>

#include "mezzotint/errors.h"
#include "server/http.h"
#include "server/zip.h"

namespace mezzo::server {
namespace {

namespace fs = std::filesystem;
constexpr int kTrashDays = 30;
constexpr std::size_t kMaxZip = 500'000'000;  // bytes
constexpr std::size_t kMaxZipFiles = 1000;

ApiError no_such_picture(std::int64_t id) {
  return {404, "not_found", fmt::format("there is no picture {}", id)};
}

std::string date_text() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::localtime_r(&now, &parts);
  std::array<char, 16> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d", &parts);
  return text.data();
}

/// The number after the highest of a folder: 7 for "00006-12.png". Marks without their picture hold
/// no number.
int next_number(const fs::path& folder) {
  int highest = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (entry.path().extension() != ".json")
      highest = std::max(highest, std::atoi(entry.path().filename().c_str()));
  return highest + 1;
}

std::string url_of(std::int64_t id, const char* what) {
  return fmt::format("/api/v1/images/{}/{}", id, what);
}

/// "lion cub" -> "\"lion\"* \"cub\"*": every word is text, and may be the beginning of one.
std::string fts_query(const std::string& words) {
  std::string query, word;
  const auto flush = [&] {
    if (!word.empty()) query += fmt::format("\"{}\"* ", word);
    word.clear();
  };
  for (const char c : words) {
    if (c == ' ' || c == '\t' || c == '\n' || c == ',')
      flush();
    else if (c != '"' && c != '\0')
      word += c;
  }
  flush();
  return query;
}

constexpr const char* kColumns =
    "id, created, width, height, bytes, prompt, negative_prompt, model, sampler, steps, guidance, "
    "seed, favourite, (SELECT group_concat(tag, char(10)) FROM tags WHERE image = images.id)";

/// Of lines, as group_concat makes them: in no order that SQLite promises.
Json sorted_lines(const std::string& text) {
  Marks marks;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) marks.add(line);
  return marks.tags;
}

Json row_of(const Statement& s) {
  const std::int64_t id = s.integer(0);
  return {{"id", id},
          {"url", url_of(id, "file")},
          {"thumbnail", url_of(id, "thumbnail")},
          {"created", s.text(1)},
          {"width", s.integer(2)},
          {"height", s.integer(3)},
          {"bytes", s.integer(4)},
          {"prompt", s.text(5)},
          {"negative_prompt", s.text(6)},
          {"model", s.text(7)},
          {"sampler", s.text(8)},
          {"steps", s.integer(9)},
          {"guidance", s.number(10)},
          {"seed", s.integer(11)},
          {"favourite", s.integer(12) != 0},
          {"tags", sorted_lines(s.text(13))}};
}

/// The conditions of a query as SQL, and the values they bind, in order.
struct Conditions {
  std::string sql = "trashed IS NULL";
  std::vector<std::string> values;

  void add(const char* condition, std::string value) {
    sql += fmt::format(" AND {}", condition);
    values.push_back(std::move(value));
  }
  explicit Conditions(const GalleryQuery& q) {
    if (const std::string words = fts_query(q.words); !words.empty())
      add("id IN (SELECT rowid FROM words WHERE words MATCH ?)", words);
    if (!q.model.empty()) add("model = ?", q.model);
    if (!q.sampler.empty()) add("sampler = ?", q.sampler);
    if (!q.tag.empty()) add("id IN (SELECT image FROM tags WHERE tag = ?)", q.tag);
    if (!q.since.empty()) add("created >= ?", q.since);
    if (!q.until.empty()) add("substr(created, 1, 10) <= ?", q.until);
    if (q.favourites) sql += " AND favourite = 1";
  }
  void bind(Statement& s) const {
    for (const std::string& v : values) s.bind(v);
  }
};

}  // namespace

Gallery::Gallery(Database& db, fs::path folder) : db_(db), folder_(std::move(folder)) {}

std::int64_t Gallery::insert(const std::string& file, const Drawn& picture,
                             const std::string& created) {
  const Json& head = picture.head;
  const Json recipe = Json::parse(text_at(head, "recipe", "{}"), nullptr, false);
  const Json request = recipe.is_object() ? recipe : Json::object();
  const auto integer = [](const Json& j, std::string_view key) {
    const auto it = j.find(key);
    return it != j.end() && it->is_number() ? it->get<std::int64_t>() : std::int64_t{0};
  };
  const auto lock = db_.lock();
  // A row of that name, if there is one, is of a file that somebody removed.
  Statement(db_, "DELETE FROM images WHERE file = ?").bind(file).run();
  Statement s(db_,
              "INSERT INTO images(file, created, width, height, bytes, prompt, negative_prompt, "
              "model, sampler, steps, guidance, seed, request, infotext) "
              "VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
  s.bind(file).bind(created).bind(integer(head, "width")).bind(integer(head, "height"));
  s.bind(static_cast<std::int64_t>(picture.png.size()));
  s.bind(text_at(request, "prompt")).bind(text_at(request, "negative_prompt"));
  s.bind(text_at(request, "model")).bind(text_at(request, "sampler"));
  s.bind(integer(request, "steps")).bind(number_at(request, "guidance", 0));
  s.bind(integer(request, "seed")).bind(dump(request)).bind(text_at(head, "infotext")).run();
  const std::int64_t id = db_.last_id();
  if (const auto found = read_marks(folder_ / file)) index_marks(id, *found);
  return id;
}

Json Gallery::add(const Drawn& picture) {
  const std::string date = date_text();
  const fs::path folder = folder_ / date;
  std::error_code error;
  fs::create_directories(folder, error);
  const auto seed = static_cast<std::int64_t>(number_at(picture.head, "seed", 0));
  std::string name;
  const auto lock = db_.lock();
  // Those in the trash keep their names: they may come back.
  for (int n = std::max(next_number(folder), next_number(trash_folder() / date));; ++n) {
    name = fmt::format("{}/{:05}-{}.png", date, n, seed);
    if (write_new_file(folder_ / name, picture.png)) break;
  }
  write_marks(folder_ / name, {});  // those of a picture of that name that somebody removed
  fs::remove(thumbnail_file(name), error);
  const std::int64_t id = insert(name, picture, time_text());
  return {
      {"id", id},     {"url", url_of(id, "file")},         {"thumbnail", url_of(id, "thumbnail")},
      {"seed", seed}, {"width", picture.head.at("width")}, {"height", picture.head.at("height")}};
}

Json Gallery::search(const GalleryQuery& query) {
  const Conditions conditions(query);
  const auto lock = db_.lock();
  Json result = {{"images", Json::array()}, {"total", 0}};
  {
    Statement count(db_, "SELECT count(*) FROM images WHERE " + conditions.sql);
    conditions.bind(count);
    if (count.step()) result["total"] = count.integer(0);
  }
  Statement s(db_, fmt::format("SELECT {} FROM images WHERE {} {} ORDER BY id DESC LIMIT ?",
                               kColumns, conditions.sql, query.before > 0 ? "AND id < ?" : ""));
  conditions.bind(s);
  if (query.before > 0) s.bind(query.before);
  s.bind(query.limit);
  while (s.step()) result["images"].push_back(row_of(s));
  return result;
}

Json Gallery::details(std::int64_t id) {
  const auto lock = db_.lock();
  Statement s(db_, fmt::format("SELECT {}, request, infotext FROM images WHERE id = ? AND trashed "
                               "IS NULL",
                               kColumns));
  s.bind(id);
  if (!s.step()) throw no_such_picture(id);
  Json json = row_of(s);
  const Json request = Json::parse(s.text(14), nullptr, false);
  json["request"] = request.is_object() ? request : Json::object();
  json["infotext"] = s.text(15);
  return json;
}

std::set<std::int64_t> Gallery::held(const Json& ids) {
  const auto lock = db_.lock();
  Statement s(db_,
              "SELECT id FROM images WHERE trashed IS NULL AND id IN "
              "(SELECT value FROM json_each(?))");
  s.bind(dump(ids));
  std::set<std::int64_t> held;
  while (s.step()) held.insert(s.integer(0));
  return held;
}

std::string Gallery::relative_file(std::int64_t id, bool trashed) {
  const auto lock = db_.lock();
  Statement s(db_, fmt::format("SELECT file FROM images WHERE id = ? AND trashed IS {} NULL",
                               trashed ? "NOT" : ""));
  s.bind(id);
  if (!s.step()) throw no_such_picture(id);
  return s.text(0);
}

fs::path Gallery::file(std::int64_t id) { return folder_ / relative_file(id, false); }

std::string Gallery::bytes(std::int64_t id) { return read_file(file(id)); }

std::string Gallery::thumbnail(std::int64_t id,
                               const std::function<std::string(const std::string&)>& make) {
  const std::string name = relative_file(id, false);
  const fs::path path = thumbnail_file(name);
  std::error_code error;
  if (fs::is_regular_file(path, error)) return read_file(path);
  std::string small = make(read_file(folder_ / name));
  fs::create_directories(path.parent_path(), error);
  try {
    write_new_file(path, small);
  } catch (const DeviceError&) {  // a full disk: it is made again next time
  }
  return small;
}

void Gallery::trash(std::int64_t id) {
  const auto lock = db_.lock();
  const std::string name = relative_file(id, false);
  const fs::path to = trash_folder() / name;
  std::error_code error;
  fs::create_directories(to.parent_path(), error);
  fs::rename(folder_ / name, to, error);
  if (error && fs::exists(folder_ / name))
    throw DeviceError(fmt::format("{}: cannot be moved to the trash: {}", name, error.message()));
  Statement(db_, "UPDATE images SET trashed = ? WHERE id = ?")
      .bind(static_cast<std::int64_t>(std::time(nullptr)))
      .bind(id)
      .run();
}

void Gallery::restore(std::int64_t id) {
  const auto lock = db_.lock();
  const std::string name = relative_file(id, true);
  const fs::path to = folder_ / name;
  std::error_code error;
  fs::create_directories(to.parent_path(), error);
  if (fs::exists(to, error))
    throw ApiError(409, "conflict", name + ": somebody put another file in its place");
  fs::rename(trash_folder() / name, to, error);
  if (error) throw ApiError(404, "not_found", name + ": is not in the trash any more");
  Statement(db_, "UPDATE images SET trashed = NULL WHERE id = ?").bind(id).run();
}

std::string Gallery::zip(const std::vector<std::int64_t>& ids) {
  if (ids.empty() || ids.size() > kMaxZipFiles)
    throw ApiError(400, "usage", fmt::format("ids: give 1 to {}", kMaxZipFiles), "ids");
  if (std::set(ids.begin(), ids.end()).size() < ids.size())
    throw ApiError(400, "usage", "ids: give each once", "ids");
  const std::scoped_lock one_at_a_time(zipping_);  // they are large
  Zip zip;
  for (const std::int64_t id : ids) {
    const std::string name = relative_file(id, false);
    const std::string file = read_file(folder_ / name);
    if (zip.size() + file.size() > kMaxZip)
      throw ApiError(413, "too_large",
                     fmt::format("the pictures have more than {} MB together; choose fewer",
                                 kMaxZip / 1'000'000),
                     "ids");
    zip.add(name, file);
  }
  return zip.finish();
}

void Gallery::empty_trash() {
  const auto lock = db_.lock();
  const auto old = static_cast<std::int64_t>(std::time(nullptr)) - kTrashDays * 86400;
  Statement s(db_, "SELECT file FROM images WHERE trashed < ?");
  s.bind(old);
  std::error_code error;
  while (s.step()) {
    fs::remove(trash_folder() / s.text(0), error);
    fs::remove(thumbnail_file(s.text(0)), error);
    write_marks(folder_ / s.text(0), {});  // they had stayed where the picture was
  }
  Statement(db_, "DELETE FROM images WHERE trashed < ?").bind(old).run();
}

}  // namespace mezzo::server
