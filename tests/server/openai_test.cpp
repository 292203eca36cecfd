// /v1 as OpenAI's clients use it.
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mezzotint/files.h"
#include "server_program.h"

namespace mezzo::test {
namespace {

TEST(OpenAi, GeneratesEditsAndLists) {
  const ServerProgram server("openai");
  const Client c = server.client();
  EXPECT_EQ(c.get("/v1/models").json()["data"][0]["id"], "icons");
  const Answer answer = c.post("/v1/images/generations", {{"model", "gpt-image-1"},
                                                          {"prompt", "a red apple"},
                                                          {"size", "128x128"},
                                                          {"n", 1},
                                                          {"steps", 2},
                                                          {"output_format", "webp"}});
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.json()["data"][0]["b64_json"].get<std::string>().substr(0, 4), "UklG");  // RIFF
  EXPECT_FALSE(answer.json().contains("warnings"));

  const Answer url = c.post("/v1/images/generations",
                            {{"prompt", "a cat"}, {"steps", 2}, {"response_format", "url"}});
  const Answer large =
      c.post("/v1/images/generations", {{"prompt", "a cat"}, {"steps", 2}, {"size", "256x256"}});
  EXPECT_NE(large.json()["warnings"].dump().find("256x256"), std::string::npos) << large.body;
  const std::string link = url.json()["data"][0]["url"];
  const std::string file = c.get(link.substr(link.find("/api"))).body;
  ASSERT_EQ(file.substr(1, 3), "PNG");

  const auto part = [](const std::string& name, const std::string& bytes) {
    return "--x\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + bytes + "\r\n";
  };
  const std::string form =
      part("prompt", "a dog") + part("steps", "2") + part("image[]", file) + "--x--\r\n";
  const Answer edited = c.send("POST", "/v1/images/edits", form,
                               {{"Content-Type", "multipart/form-data; boundary=x"}});
  EXPECT_EQ(edited.status, 200) << edited.body;

  // No pixel can be looked through, however dark: nothing is a mask.
  Picture dark;
  dark.image = {.width = 64, .height = 64, .channels = 4, .pixels = {}};
  for (int i = 0; i < 64 * 64; ++i)
    dark.image.pixels.insert(dark.image.pixels.end(), {9, 9, 9, 255});
  const auto png = encode_picture(dark, ".png");
  const std::string opaque(reinterpret_cast<const char*>(png.data()), png.size());
  const Answer anew =
      c.send("POST", "/v1/images/edits",
             part("prompt", "a dog") + part("steps", "2") + part("image", opaque) + "--x--\r\n",
             {{"Content-Type", "multipart/form-data; boundary=x"}});
  EXPECT_EQ(anew.status, 200) << anew.body;

  EXPECT_EQ(c.post("/v1/images/generations", {{"n", 1}}).json()["error"]["param"], "prompt");
  const Json error = c.post("/v1/images/generations", {{"prompt", "a"}, {"size", "big"}}).json();
  EXPECT_EQ(error["error"]["param"], "size");
  EXPECT_EQ(c.post("/v1/images/generations", {{"prompt", "a"}, {"size", "100x100"}})
                .json()["error"]["param"],
            "size");
  EXPECT_EQ(error["error"]["type"], "invalid_request_error");
}

TEST(OpenAi, RefusesNumbersThatCannotBeUsed) {
  const ServerProgram server("openai-numbers");
  const Client c = server.client();
  const auto refusal = [&](const char* key, const Json& value) {
    const Answer answer = c.post("/v1/images/generations", {{"prompt", "a cat"}, {key, value}});
    EXPECT_EQ(answer.status, 400) << key << " " << value << answer.body;
    const Json error = answer.json()["error"];
    EXPECT_EQ(error["type"], "invalid_request_error");
    EXPECT_EQ(error["param"], key);
    EXPECT_EQ(error["code"], "usage");
    return error["message"].get<std::string>();
  };
  EXPECT_EQ(refusal("steps", "abc"),
            "steps: \"abc\" is not usable; give a whole number from 1 to 1000");
  EXPECT_EQ(refusal("steps", -1), "steps: -1 is not usable; give a whole number from 1 to 1000");
  for (const Json& bad : {Json(0), Json(2.5), Json(true), Json::array({1}), Json("1e99")})
    refusal("steps", bad);
  refusal("num_inference_steps", "many");
  refusal("cfg_scale", 101);
  refusal("strength", "half");
  refusal("seed", "x");
  refusal("n", "two");
  refusal("n", 11);
  refusal("output_compression", 200);
  refusal("partial_images", "some");
  for (const Json& good : {Json("2"), Json(2.0), Json("")})
    EXPECT_EQ(c.post("/v1/images/generations",
                     {{"prompt", "a cat"}, {"steps", good}, {"n", ""}, {"seed", 1LL << 53}})
                  .status,
              200);
}

TEST(OpenAi, StreamsPicturesOnTheWay) {
  const ServerProgram server("openai-stream");
  const Json body = {{"prompt", "a red apple"}, {"steps", 6},          {"n", 2},
                     {"stream", true},          {"partial_images", 2}, {"output_format", "jpeg"}};
  const Answer answer = server.client().post("/v1/images/generations", body);
  EXPECT_EQ(answer.header("content-type"), "text/event-stream");
  std::vector<std::string> seen;
  std::istringstream lines(answer.body);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("data: ")) continue;
    const Json event = Json::parse(line.substr(6));
    seen.push_back(event["type"]);
    const std::string begin = event["b64_json"].get<std::string>().substr(0, 4);
    const bool partial = seen.back() == "image_generation.partial_image";
    EXPECT_EQ(begin, partial ? "iVBO" : "/9j/");  // PNG, JPEG
    if (partial) {
      EXPECT_EQ(event["partial_image_index"], seen.size() - 1);
    }
  }
  EXPECT_THAT(
      seen, testing::ElementsAre("image_generation.partial_image", "image_generation.partial_image",
                                 "image_generation.completed", "image_generation.completed"));
  const Json error = server.client()
                         .post("/v1/images/generations",
                               {{"prompt", "a"}, {"stream", true}, {"partial_images", 9}})
                         .json();
  EXPECT_EQ(error["error"]["param"], "partial_images");
}

}  // namespace
}  // namespace mezzo::test
