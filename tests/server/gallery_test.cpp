// The gallery: files and their index.
#include <signal.h>

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server_program.h"

namespace mezzo::test {
namespace {

namespace fs = std::filesystem;
using testing::StartsWith;

TEST(Gallery, FindsMarksRemovesAndRestores) {
  const ServerProgram server("gallery");
  const Client c = server.client();
  std::string last;  // job
  for (const char* prompt : {"a red apple", "a lion cub"}) {
    last = server.submit({{"prompt", prompt}, {"steps", 2}, {"seed", 3}});
    server.wait_for(last, {"completed"});
  }

  const auto found = [&](const std::string& query) {
    return c.get("/api/v1/images?" + query).json();
  };
  EXPECT_EQ(found("")["total"], 2);
  EXPECT_EQ(found("query=appl")["total"], 1);
  EXPECT_EQ(found("query=%22)%20OR%20*")["total"], 0);
  EXPECT_EQ(found("model=icons&limit=1")["images"].size(), 1u);
  EXPECT_EQ(found("favourite=true")["total"], 0);
  EXPECT_EQ(c.get("/api/v1/images?limit=x").status, 400);

  const Json one = found("query=lion")["images"][0];
  const std::string path = "/api/v1/images/" + one["id"].dump();
  EXPECT_EQ(one["prompt"], "a lion cub");
  const Answer file = c.get(path + "/file");
  EXPECT_EQ(file.header("content-type"), "image/png");
  EXPECT_THAT(file.body, StartsWith("\x89PNG"));
  EXPECT_THAT(c.get(path + "/thumbnail").body, StartsWith("\x89PNG"));
  EXPECT_THAT(c.post("/api/v1/images/zip", {{"ids", {one["id"]}}}).body, StartsWith("PK\3\4"));
  EXPECT_EQ(c.post("/api/v1/images/zip", {{"ids", {one["id"], one["id"]}}}).status, 400);
  EXPECT_EQ(c.get(path).json()["request"]["seed"], 3);
  const Json recipe =
      c.send("POST", "/api/v1/recipe", file.body, {{"Content-Type", "image/png"}}).json();
  EXPECT_EQ(recipe["request"]["prompt"], "a lion cub");

  c.send("PATCH", path, R"({"favourite":true})", {{"Content-Type", "application/json"}});
  EXPECT_EQ(found("favourite=true")["total"], 1);
  EXPECT_EQ(c.send("DELETE", path, "", {}).status, 204);
  EXPECT_EQ(c.get(path).status, 404);
  EXPECT_EQ(found("")["total"], 1);
  EXPECT_EQ(server.job(last)["images"].size(), 0u);
  EXPECT_EQ(c.get("/api/v1/jobs?limit=1").json()["jobs"][0]["images"].size(), 0u);
  EXPECT_EQ(c.send("POST", path + "/restore", "", {}).status, 200);
  EXPECT_EQ(server.job(last)["images"].size(), 1u);
  EXPECT_EQ(c.get(path + "/file").body, file.body);

  // From the gallery into the next job.
  const auto again = server.submit({{"prompt", "a green apple"},
                                    {"steps", 2},
                                    {"strength", 1.0},
                                    {"init_image", {{"image", one["id"]}}}});
  const Json job = server.wait_for(again, {"completed", "failed"});
  EXPECT_EQ(job["state"], "completed") << job.dump();
  EXPECT_EQ(job["kind"], "image");
  EXPECT_EQ(job["request"]["init_image"]["image"], one["id"]);
}

std::vector<std::string> tags_of(const Json& image) { return image.at("tags"); }

TEST(Gallery, TagsAreGivenToSeveralAndFound) {
  const ServerProgram server("tags");
  const Client c = server.client();
  for (const int seed : {1, 2})
    server.wait_for(server.submit({{"prompt", "a red apple"}, {"steps", 1}, {"seed", seed}}),
                    kOver);
  const Json images = c.get("/api/v1/images").json()["images"];
  ASSERT_EQ(images.size(), 2u);
  EXPECT_EQ(tags_of(images[0]), std::vector<std::string>());
  const Json first = images[0]["id"], second = images[1]["id"];
  const auto tag = [&](const Json& body) { return c.post("/api/v1/images/tags", body); };

  const Json both = tag({{"ids", {first, second}}, {"add", {" fruit ", "for Anna"}}}).json();
  ASSERT_EQ(both["images"].size(), 2u) << both.dump();
  EXPECT_EQ(tags_of(both["images"][1]), (std::vector<std::string>{"for Anna", "fruit"}));
  EXPECT_EQ(tag({{"ids", {first}}, {"add", {"Fruit", "red"}}, {"remove", {"for anna"}}}).status,
            200);
  EXPECT_EQ(tags_of(c.get("/api/v1/images/" + first.dump()).json()),
            (std::vector<std::string>{"fruit", "red"}));
  EXPECT_EQ(c.get("/api/v1/images?tag=FRUIT").json()["total"], 2);
  EXPECT_EQ(c.get("/api/v1/images?tag=red").json()["images"][0]["id"], first);
  EXPECT_EQ(c.get("/api/v1/images?tag=re").json()["total"], 0);
  EXPECT_EQ(c.get("/api/v1/tags").json()["tags"],
            Json::parse(R"([{"name": "for Anna", "pictures": 1}, {"name": "fruit", "pictures": 2},
                            {"name": "red", "pictures": 1}])"));

  // In the trash it is not counted, and it comes back as it was.
  const std::string path = "/api/v1/images/" + first.dump();
  EXPECT_EQ(c.send("DELETE", path, "", {}).status, 204);
  EXPECT_EQ(c.get("/api/v1/tags").json()["tags"].size(), 2u);
  EXPECT_EQ(tag({{"ids", {first}}, {"add", {"x"}}}).status, 404);
  EXPECT_EQ(tags_of(c.send("POST", path + "/restore", "", {}).json()),
            (std::vector<std::string>{"fruit", "red"}));
}

TEST(Gallery, RefusesTagsBeforeAnythingIsChanged) {
  const ServerProgram server("bad-tags");
  const Client c = server.client();
  server.wait_for(server.submit({{"prompt", "a red apple"}, {"steps", 1}}), kOver);
  const Json id = c.get("/api/v1/images").json()["images"][0]["id"];
  for (const Json& body :
       {Json{{"ids", {id}}, {"add", {"good", "a,b"}}}, Json{{"ids", {id}}, {"add", {" "}}},
        Json{{"ids", {id}}, {"add", "good"}}, Json{{"ids", {id}}, {"add", {7}}},
        Json{{"ids", {id}}, {"tags", {"good"}}}, Json{{"ids", Json::array()}, {"add", {"good"}}},
        Json{{"add", {"good"}}}, Json{{"ids", {id}}, {"add", {std::string(41, 'x')}}}})
    EXPECT_EQ(c.post("/api/v1/images/tags", body).status, 400) << body.dump();
  EXPECT_EQ(c.post("/api/v1/images/tags", {{"ids", {id, 999}}, {"add", {"good"}}}).status, 404);
  EXPECT_EQ(c.get("/api/v1/tags").json()["tags"], Json::array());
}

/// The state that a small job with this seed ends in, with its picture.
Json drawn(const ServerProgram& server, int seed) {
  const auto id = server.submit({{"prompt", "a red apple"}, {"steps", 2}, {"seed", seed}});
  return server.wait_for(id, kOver);
}

fs::path only_picture(const ServerProgram& server) {
  for (const auto& day : fs::directory_iterator(server.outputs()))
    if (day.is_directory())
      for (const auto& file : fs::directory_iterator(day))
        if (file.path().extension() == ".png") return file.path();
  return {};
}

TEST(Gallery, APictureInTheTrashKeepsItsName) {
  const ServerProgram server("trash");
  const Client c = server.client();
  const std::string path = "/api/v1/images/" + drawn(server, 7)["images"][0]["id"].dump();
  ASSERT_EQ(c.send("DELETE", path, "", {}).status, 204);
  const Json again = drawn(server, 7);
  ASSERT_EQ(again["state"], "completed") << again.dump();
  EXPECT_EQ(c.send("POST", path + "/restore", "", {}).status, 200);
  EXPECT_EQ(c.get("/api/v1/images").json()["total"], 2);
  EXPECT_EQ(c.get(path + "/file").body, c.get(again["images"][0]["url"]).body);
}

TEST(Gallery, AFileThatWasRemovedByHandLeavesItsNameFree) {
  const ServerProgram server("removed");
  const std::string path = "/api/v1/images/" + drawn(server, 7)["images"][0]["id"].dump();
  server.client().send("PATCH", path, R"({"favourite":true})",
                       {{"Content-Type", "application/json"}});
  ASSERT_TRUE(fs::remove(only_picture(server)));
  const Json again = drawn(server, 7);
  EXPECT_EQ(again["state"], "completed") << again.dump();
  const Json found = server.client().get("/api/v1/images").json();
  EXPECT_EQ(found["total"], 1);
  EXPECT_EQ(found["images"][0]["favourite"], false);  // that was the one before
}

TEST(Gallery, WhatAKilledServerLeftIsPutRight) {
  ServerProgram server("killed");
  drawn(server, 7);
  EXPECT_EQ(server.end(SIGKILL), 128 + SIGKILL);
  const fs::path picture = only_picture(server);
  fs::copy_file(picture, picture.parent_path() / "00009-7.png");  // saved, and not in the index
  std::ofstream(picture.parent_path() / ".1234-0.tmp") << "half a pic";
  std::ofstream(picture.parent_path() / "stray.png") << "not a picture";
  server.start();
  EXPECT_EQ(server.client().get("/api/v1/images").json()["total"], 2);
  EXPECT_FALSE(fs::exists(picture.parent_path() / ".1234-0.tmp"));
  EXPECT_TRUE(fs::exists(picture.parent_path() / "stray.png"));
  EXPECT_THAT(server.errors(), testing::HasSubstr("added to the gallery: 1"));
  EXPECT_THAT(server.errors(), testing::HasSubstr("stray.png"));
}

TEST(Gallery, TheIndexIsMadeAgainFromTheFiles) {
  ServerProgram server("rebuild");
  server.wait_for(server.submit({{"prompt", "a red apple"}, {"steps", 2}}), {"completed"});
  const Json id = server.client().get("/api/v1/images").json()["images"][0]["id"];
  server.client().send("PATCH", "/api/v1/images/" + id.dump(), R"({"favourite":true})",
                       {{"Content-Type", "application/json"}});
  server.client().post("/api/v1/images/tags", {{"ids", {id}}, {"add", {"fruit", "für Anna"}}});
  EXPECT_EQ(server.end(SIGTERM), 0);
  for (const char* ending : {"", "-wal", "-shm"})
    fs::remove(server.outputs() / ("mezzotint.sqlite" + std::string(ending)));
  std::ofstream(fs::directory_iterator(server.outputs())->path().parent_path() / "stray.png")
      << "not a picture";
  const std::string command = program_path() + " gallery rebuild --outputs-dir " +
                              server.outputs().string() + " >/dev/null";
  ASSERT_EQ(std::system(command.c_str()), 0);
  server.start();
  const Json found = server.client().get("/api/v1/images?query=apple").json();
  ASSERT_EQ(found["total"], 1);
  EXPECT_EQ(found["images"][0]["model"], "icons");
  EXPECT_EQ(found["images"][0]["favourite"], true);
  EXPECT_EQ(tags_of(found["images"][0]), (std::vector<std::string>{"fruit", "für Anna"}));

  // Marks that somebody else wrote, over an index that knows the picture.
  EXPECT_EQ(server.end(SIGTERM), 0);
  std::ofstream(only_picture(server).string() + ".json") << R"({"tags": ["pear"]})";
  ASSERT_EQ(std::system(command.c_str()), 0);
  server.start();
  const Json image = server.client().get("/api/v1/images").json()["images"][0];
  EXPECT_EQ(image["favourite"], false);
  EXPECT_EQ(tags_of(image), std::vector<std::string>{"pear"});
}

TEST(Gallery, AServerKilledWhileItMovedAPictureFinishesTheMove) {
  ServerProgram server("moves");
  server.wait_for(server.submit({{"prompt", "a red apple"}, {"steps", 1}}), {"completed"});
  const Json images = server.client().get("/api/v1/images").json()["images"];
  ASSERT_EQ(images.size(), 1u);
  const std::string image = "/api/v1/images/" + images[0]["id"].dump();
  fs::path file;
  for (const auto& entry : fs::recursive_directory_iterator(server.outputs()))
    if (entry.path().extension() == ".png" &&
        entry.path().string().find("thumb") == std::string::npos)
      file = fs::relative(entry.path(), server.outputs());
  const fs::path here = server.outputs() / file, trash = server.outputs() / ".trash" / file;
  for (const auto& [from, to, total] : {std::tuple(here, trash, 0), std::tuple(trash, here, 1)}) {
    EXPECT_EQ(server.end(SIGTERM), 0);
    fs::create_directories(to.parent_path());
    fs::rename(from, to);
    server.start();
    EXPECT_EQ(server.client().get("/api/v1/images").json()["total"], total);
  }
  EXPECT_EQ(server.client().get(image).status, 200);  // its number is the same
}

}  // namespace
}  // namespace mezzo::test
