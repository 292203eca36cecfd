#include "server/gallery_marks.h"

#include <algorithm>

#include <fmt/format.h>

#include "server/gallery.h"
#include "server/http.h"

namespace mezzo::server {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kMostTags = 32;        // of a picture
constexpr std::size_t kLongestTag = 40;      // characters
constexpr std::size_t kMostPictures = 1000;  // that are tagged at once
constexpr std::uintmax_t kLargestFile = 64 << 10;

ApiError unusable(const std::string& why) { return {400, "usage", "tags: " + why, "tags"}; }

auto place_of(std::vector<std::string>& tags, const std::string& tag) {
  return std::ranges::lower_bound(tags, ascii_lower(tag), {}, ascii_lower);
}

bool is_there(const std::vector<std::string>& tags, std::vector<std::string>::iterator place,
              const std::string& tag) {
  return place != tags.end() && ascii_lower(*place) == ascii_lower(tag);
}

}  // namespace

void Marks::add(const std::string& tag) {
  const auto place = place_of(tags, tag);
  if (is_there(tags, place, tag)) return;
  if (tags.size() == kMostTags)
    throw unusable(fmt::format("a picture has at most {}; take some away first", kMostTags));
  tags.insert(place, tag);
}

void Marks::remove(const std::string& tag) {
  const auto place = place_of(tags, tag);
  if (is_there(tags, place, tag)) tags.erase(place);
}

std::string checked_tag(const std::string& text) {
  const std::size_t start = std::min(text.find_first_not_of(' '), text.size());
  const std::string tag = text.substr(start, text.find_last_not_of(' ') + 1 - start);
  const auto characters = static_cast<std::size_t>(
      std::ranges::count_if(tag, [](unsigned char c) { return (c & 0xC0) != 0x80; }));
  if (tag.empty() || characters > kLongestTag)
    throw unusable(fmt::format("a tag has 1 to {} characters", kLongestTag));
  if (std::ranges::any_of(tag, [](unsigned char c) { return c < 0x20 || c == 0x7F || c == ','; }))
    throw unusable("a tag has neither commas nor control characters");
  return tag;
}

fs::path marks_file(const fs::path& picture) { return picture.string() + ".json"; }

std::optional<Marks> read_marks(const fs::path& picture) {
  std::error_code error;
  const fs::path file = marks_file(picture);
  if (!fs::is_regular_file(file, error) || fs::file_size(file, error) > kLargestFile)
    return std::nullopt;
  try {
    const Json json = parse_object(read_file(file));
    Marks marks{.favourite = flag_at(json, "favourite", false)};
    if (const auto tags = json.find("tags"); tags != json.end() && tags->is_array())
      for (const Json& tag : *tags)
        if (tag.is_string()) marks.add(checked_tag(tag.get<std::string>()));
    return marks;
  } catch (const ApiError&) {  // it was written by somebody else
    return std::nullopt;
  }
}

void write_marks(const fs::path& picture, const Marks& marks) {
  const fs::path file = marks_file(picture);
  std::error_code error;
  if (marks == Marks()) {
    fs::remove(file, error);
    return;
  }
  const Json json = {{"favourite", marks.favourite}, {"tags", marks.tags}};
  replace_file(file, dump(json) + "\n");
}

Marks Gallery::marks(std::int64_t id) {
  Marks marks;
  Statement favourite(db_, "SELECT favourite FROM images WHERE id = ?");
  if (favourite.bind(id).step()) marks.favourite = favourite.integer(0) != 0;
  Statement tags(db_, "SELECT tag FROM tags WHERE image = ? ORDER BY tag");
  for (tags.bind(id); tags.step();) marks.tags.push_back(tags.text(0));
  return marks;
}

void Gallery::index_marks(std::int64_t id, const Marks& marks) {
  Transaction transaction(db_);
  Statement(db_, "UPDATE images SET favourite = ? WHERE id = ?")
      .bind(std::int64_t{marks.favourite})
      .bind(id)
      .run();
  Statement(db_, "DELETE FROM tags WHERE image = ?").bind(id).run();
  for (const std::string& tag : marks.tags)
    Statement(db_, "INSERT INTO tags(image, tag) VALUES(?, ?)").bind(id).bind(tag).run();
  transaction.commit();
}

void Gallery::mark(std::int64_t id, const Marks& marks) {
  write_marks(folder_ / relative_file(id, false), marks);
  index_marks(id, marks);
}

void Gallery::set_favourite(std::int64_t id, bool favourite) {
  const auto lock = db_.lock();
  Marks changed = marks(id);
  changed.favourite = favourite;
  mark(id, changed);
}

Json Gallery::tag(const std::vector<std::int64_t>& ids, const std::vector<std::string>& added,
                  const std::vector<std::string>& removed) {
  if (ids.empty() || ids.size() > kMostPictures)
    throw ApiError(400, "usage", fmt::format("ids: give 1 to {}", kMostPictures), "ids");
  const auto changed = [&](std::int64_t id) {
    relative_file(id, false);
    Marks marks = this->marks(id);
    for (const std::string& tag : removed) marks.remove(checked_tag(tag));
    for (const std::string& tag : added) marks.add(checked_tag(tag));
    return marks;
  };
  {
    const auto lock = db_.lock();
    for (const std::int64_t id : ids) changed(id);  // refuses before the first is written
  }
  Json images = Json::array();
  for (const std::int64_t id : ids) {
    const auto lock = db_.lock();  // others have their turn between two pictures
    const Marks marks = changed(id);
    mark(id, marks);
    images.push_back({{"id", id}, {"tags", marks.tags}});
  }
  return {{"images", images}};
}

Json Gallery::tags() {
  const auto lock = db_.lock();
  Json tags = Json::array();
  Statement s(db_,
              "SELECT tag, count(*) FROM tags JOIN images ON images.id = tags.image "
              "WHERE trashed IS NULL GROUP BY tag ORDER BY tag");
  while (s.step()) tags.push_back({{"name", s.text(0)}, {"pictures", s.integer(1)}});
  return {{"tags", tags}};
}

void Gallery::read_all_marks() {
  std::vector<std::pair<std::int64_t, std::string>> pictures;
  {
    Statement s(db_, "SELECT id, file FROM images WHERE trashed IS NULL");
    while (s.step()) pictures.emplace_back(s.integer(0), s.text(1));
  }
  for (const auto& [id, file] : pictures)
    if (const auto found = read_marks(folder_ / file)) index_marks(id, *found);
}

}  // namespace mezzo::server
