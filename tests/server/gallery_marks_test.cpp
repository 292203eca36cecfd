// Favourites and tags in the files beside the pictures.
#include "server/gallery_marks.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "server/gallery.h"
#include "server/http.h"
#include "server/sqlite.h"

namespace mezzo::server {
namespace {

namespace fs = std::filesystem;
using Tags = std::vector<std::string>;

/// A folder of the test's own, with the name of a picture in it.
fs::path picture(const std::string& name) {
  const fs::path folder = fs::path(testing::TempDir()) / ("marks-" + name);
  fs::remove_all(folder);
  fs::create_directories(folder);
  return folder / "00001-7.png";
}

TEST(Marks, TagsAreInOrderAndOfOneSpelling) {
  Marks marks;
  for (const char* tag : {"red", "Apple", "apple", "für Anna"}) marks.add(tag);
  EXPECT_EQ(marks.tags, (Tags{"Apple", "für Anna", "red"}));
  marks.remove("RED");
  marks.remove("blue");
  EXPECT_EQ(marks.tags, (Tags{"Apple", "für Anna"}));
}

TEST(Marks, APictureHas32TagsAtMost) {
  Marks marks;
  for (int i = 0; i < 32; ++i) marks.add(std::to_string(i));
  marks.add("31");
  EXPECT_THROW(marks.add("32"), ApiError);
  EXPECT_EQ(marks.tags.size(), 32u);
}

TEST(Marks, TagsAreTrimmedAndChecked) {
  EXPECT_EQ(checked_tag("  two words "), "two words");
  EXPECT_EQ(checked_tag(std::string(40, 'x')).size(), 40u);
  std::string umlauts;
  for (int i = 0; i < 40; ++i) umlauts += "ü";
  EXPECT_EQ(checked_tag(umlauts), umlauts);  // characters, not bytes
  for (const std::string& bad : {std::string(), std::string("  "), std::string("a,b"),
                                 std::string("a\nb"), std::string(41, 'x')})
    EXPECT_THROW(checked_tag(bad), ApiError) << bad;
}

TEST(Marks, AreReadAsTheyWereWritten) {
  const fs::path file = picture("round");
  EXPECT_EQ(read_marks(file), std::nullopt);
  const Marks marks{.favourite = true, .tags = {"a \"quoted\" one", "für Anna"}};
  write_marks(file, {.tags = {"before"}});
  write_marks(file, marks);
  EXPECT_EQ(marks_file(file).filename(), "00001-7.png.json");
  EXPECT_EQ(read_marks(file), marks);
  EXPECT_EQ(std::distance(fs::directory_iterator(file.parent_path()), {}), 1);  // nothing is left
  write_marks(file, {});
  EXPECT_FALSE(fs::exists(marks_file(file)));
}

TEST(Marks, OfAnotherProgramDoNoHarm) {
  const fs::path file = picture("foreign");
  const auto read = [&](const std::string& text) {
    std::ofstream(marks_file(file)) << text;
    return read_marks(file);
  };
  EXPECT_EQ(read(R"({"favourite": "yes", "tags": ["b", 3, "a"], "more": 1})"),
            (Marks{.tags = {"a", "b"}}));
  for (const std::string& text :
       {std::string("not JSON"), std::string("[]"), std::string(R"({"tags": ["a,b"]})"),
        std::string(100, '['), std::string(100'000, ' ') + "{}"})
    EXPECT_EQ(read(text), std::nullopt) << text.substr(0, 20);
  fs::remove(marks_file(file));
  fs::create_directory(marks_file(file));
  EXPECT_EQ(read_marks(file), std::nullopt);
}

TEST(Gallery, MarksGoWithTheirPictureWhenTheTrashIsEmptied) {
  const fs::path folder = picture("trash").parent_path();
  Database db(folder / "mezzotint.sqlite");
  Gallery gallery(db, folder);
  const Json added =
      gallery.add({.png = "png", .head = {{"seed", 7}, {"width", 8}, {"height", 8}}});
  const auto id = added["id"].get<std::int64_t>();
  gallery.tag({id}, {"fruit"}, {});
  const fs::path marks = marks_file(gallery.file(id));
  gallery.trash(id);
  gallery.empty_trash();
  EXPECT_TRUE(fs::exists(marks));  // it may come back
  db.execute("UPDATE images SET trashed = 1");
  gallery.empty_trash();
  EXPECT_FALSE(fs::exists(marks));
  Statement left(db, "SELECT count(*) FROM tags");
  ASSERT_TRUE(left.step());
  EXPECT_EQ(left.integer(0), 0);
}

TEST(Database, OfTheFirstVersionLearnsTags) {
  const fs::path file = picture("old").replace_filename("old.sqlite");
  {
    Database db(file);
    db.execute("DROP TRIGGER images_untagged; DROP TABLE tags; PRAGMA user_version = 1");
  }
  Database db(file);
  db.execute("INSERT INTO tags(image, tag) VALUES(1, 'Red')");
  Statement found(db, "SELECT image FROM tags WHERE tag = 'red'");
  EXPECT_TRUE(found.step());
}

TEST(Database, WhatIsNotCommittedIsUndone) {
  Database db(picture("transaction").replace_filename("t.sqlite"));
  {
    const Transaction left(db);
    db.execute("INSERT INTO tags(image, tag) VALUES(1, 'a')");
  }
  {
    Transaction kept(db);
    db.execute("INSERT INTO tags(image, tag) VALUES(2, 'b')");
    kept.commit();
  }
  Statement rows(db, "SELECT image FROM tags");
  ASSERT_TRUE(rows.step());
  EXPECT_EQ(rows.integer(0), 2);
  EXPECT_FALSE(rows.step());
}

}  // namespace
}  // namespace mezzo::server
