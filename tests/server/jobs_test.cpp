// Jobs from request to picture: states, order, cancelling, events, and the page's lists.
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server_program.h"

namespace mezzo::test {
namespace {

using testing::HasSubstr;

/// What an open stream brought so far; closes it.
std::string received(int stream) {
  std::string all(1 << 20, '\0');
  const auto size = ::recv(stream, all.data(), all.size(), 0);
  ::close(stream);
  all.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return all;
}

TEST(Jobs, OneGoesFromRequestToPicture) {
  const ServerProgram server("job");
  const auto id = server.submit({{"prompt", "a red apple"}, {"steps", 4}, {"seed", 7}});
  const Json job = server.wait_for(id, kOver);
  ASSERT_EQ(job["state"], "completed") << job.dump();
  EXPECT_EQ(job["kind"], "text");
  EXPECT_EQ(job["request"]["model"], "icons");
  ASSERT_EQ(job["images"].size(), 1u);
  EXPECT_EQ(job["images"][0]["seed"], 7);
  EXPECT_EQ(job["images"][0]["width"], 128);
  EXPECT_TRUE(job["error"].is_null());

  // The events that led there, from the first on, in order and without a gap.
  const std::string missed = server.client().raw(
      "GET /api/v1/events?job=" + id +
          " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(server.port()) + "\r\n\r\n",
      "hello", 5);
  EXPECT_THAT(missed, HasSubstr("text/event-stream"));

  // The model is loaded now, and the list says so.
  EXPECT_TRUE(server.client().get("/api/v1/models").json()["models"][0]["loaded"]);
}

TEST(Jobs, EventsContinueAfterTheLastOneThatWasSeen) {
  const ServerProgram server("events");
  const std::string host = "Host: 127.0.0.1:" + std::to_string(server.port()) + "\r\n";
  const int stream = server.client().open("GET /api/v1/events HTTP/1.1\r\n" + host + "\r\n");
  const auto id = server.submit({{"prompt", "a cat"}, {"steps", 4}});
  server.wait_for(id, kOver);
  const std::string all = received(stream);
  for (const char* event : {"event: job", "event: progress", "event: preview", "event: image"})
    EXPECT_THAT(all, HasSubstr(event));
  const auto at = all.find("id: ");
  ASSERT_NE(at, all.npos);
  const std::string first = all.substr(at + 4, all.find('\n', at) - at - 4);
  const auto resumed = [&](const std::string& last) {
    return server.client().raw(
        "GET /api/v1/events HTTP/1.1\r\n" + host + "Last-Event-ID: " + last + "\r\n\r\n",
        "\"completed\"", 1);
  };
  const std::string again = resumed(first);
  EXPECT_EQ(again.find("id: " + first + "\n"), again.npos);
  EXPECT_THAT(again, HasSubstr("\"state\":\"completed\""));
  EXPECT_THAT(resumed("other-5"), HasSubstr("event: reset"));
}

TEST(Jobs, StepsAreToldAFewTimesASecond) {
  const ServerProgram server("pace");
  const std::string host = "Host: 127.0.0.1:" + std::to_string(server.port()) + "\r\n";
  const auto id = server.submit({{"prompt", "a cat"}, {"steps", 4}});
  server.wait_for(id, kOver);  // the model is loaded
  const int stream = server.client().open("GET /api/v1/events HTTP/1.1\r\n" + host + "\r\n");
  const auto begin = std::chrono::steady_clock::now();
  server.wait_for(server.submit({{"prompt", "a cat"}, {"steps", 60}}), kOver);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  const std::string all = received(stream);
  int steps = 0;
  const std::string mark = R"("phase":"denoise")";
  for (auto at = all.find(mark); at != all.npos; at = all.find(mark, at + 1)) ++steps;
  EXPECT_GE(steps, 1);
  EXPECT_LE(steps, took.count() / 0.15 + 2);
}

TEST(Jobs, ARunningOneIsCancelledAtOnceAndTheNextGoesOn) {
  const ServerProgram server("cancel");
  const auto slow = server.submit({{"prompt", "a lion"}, {"steps", 1000}});
  const auto next = server.submit({{"prompt", "a cat"}, {"steps", 4}});
  const Json running = server.wait_for_step(slow, 2);
  ASSERT_EQ(running["state"], "running");
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(server.client().send("DELETE", "/api/v1/jobs/" + slow, "", {}).status, 204);
  EXPECT_EQ(server.wait_for(slow, kOver)["state"], "cancelled");
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  // One step and 250 ms; twice that, for a machine that does other things too.
  EXPECT_LT(took.count(), 2 * (running["progress"]["seconds_per_step"].get<double>() + 0.25));
  EXPECT_EQ(server.wait_for(next, kOver)["state"], "completed");
  EXPECT_EQ(server.client().send("DELETE", "/api/v1/jobs/" + next, "", {}).status, 409);
}

TEST(Jobs, WaitingOnesAreReordered) {
  const ServerProgram server("order");
  const auto a = server.submit({{"prompt", "a lion"}, {"steps", 1000}});
  const auto b = server.submit({{"prompt", "a cat"}, {"steps", 2}});
  const auto c = server.submit({{"prompt", "a dog"}, {"steps", 2}});
  server.wait_for(a, {"running"});
  const Answer moved = server.client().send("PATCH", "/api/v1/jobs/" + c, R"({"position":1})",
                                            {{"Content-Type", "application/json"}});
  EXPECT_EQ(moved.json()["position"], 1);
  EXPECT_EQ(server.job(b)["position"], 2);
  EXPECT_EQ(server.job(a)["position"], 0);
  EXPECT_EQ(server.client().send("DELETE", "/api/v1/jobs", "", {}).status, 204);
  for (const auto& id : {a, b, c}) EXPECT_EQ(server.wait_for(id, kOver)["state"], "cancelled");
  EXPECT_EQ(server.client().get("/api/v1/jobs?state=cancelled").json()["jobs"].size(), 3u);
}

TEST(Jobs, TheInterfaceDescribesItself) {
  const ServerProgram server("openapi");
  const Json api = server.client().get("/api/v1/openapi.json").json();
  EXPECT_EQ(api["openapi"], "3.1.0");
  EXPECT_EQ(api["x-undescribed"], Json::array());
  const Json& request = api["components"]["schemas"]["Request"]["properties"];
  const Json options = server.client().get("/api/v1/options").json();
  for (const Json& field : options["fields"])
    EXPECT_TRUE(request.contains(field["name"])) << field["name"];
  EXPECT_EQ(request["steps"]["maximum"], 1000);
  EXPECT_EQ(request["rng"]["enum"], Json({"nv", "cpu", "", nullptr}));
  // Every schema that is named is there.
  const std::string text = api.dump(), mark = "#/components/schemas/";
  for (auto at = text.find(mark); at != text.npos; at = text.find(mark, at + 1)) {
    const auto begin = at + mark.size();
    const std::string name = text.substr(begin, text.find('"', begin) - begin);
    EXPECT_TRUE(api["components"]["schemas"].contains(name)) << name;
  }
}

TEST(Jobs, WhatCannotBeDrawnIsRefusedWithItsField) {
  const ServerProgram server("refused");
  EXPECT_EQ(server.client().get("/api/v1/jobs/%7B%7D").status, 404);
  const struct {
    Json request;
    int status;
    const char* field;
  } kCases[] = {
      {{{"prompt", "x"}, {"width", 100}}, 400, "width"},
      {{{"prompt", "x"}, {"steps", 0}}, 400, "steps"},
      {{{"prompt", "x"}, {"sampler", "none such"}}, 400, "sampler"},
      {{{"prompt", "x"}, {"model", "../../etc/passwd"}}, 400, "model"},
      {{{"prompt", "x"}, {"init_image", "bm90IGEgcGljdHVyZQ=="}}, 400, "init_image"},
      {{{"prompt", "x"}, {"init_image", "http://10.0.0.1/"}}, 400, "init_image"},
      {{{"prompt", "x"}, {"init_image", {{"image", 99}}}}, 404, ""},
      {{{"prompt", "x"}, {"mask_image", "AAAA"}}, 400, "mask_image"},
      {{{"steps", 5}}, 400, "prompt"},
      {{{"prompt", "x"}, {"prompts", {"y"}}}, 400, "prompts"},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.request.dump());
    const Answer answer = server.client().post("/api/v1/jobs", c.request);
    EXPECT_EQ(answer.status, c.status) << answer.body;
    EXPECT_EQ(answer.json()["error"].value("field", ""), c.field) << answer.body;
    EXPECT_NE(answer.json()["error"].value("message", ""), "");
  }
  EXPECT_EQ(server.client().get("/api/v1/jobs/j-000099").status, 404);
  EXPECT_EQ(server.client().get("/api/v1/jobs/..%2f..").status, 404);
}

TEST(Jobs, WorkThatNeedsMoreMemoryThanAllowedFailsWithNumbersAndARemedy) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the sanitizer's own memory is beyond any limit";
#endif
  const ServerProgram server("memory", {"--max-ram", "600M", "--weights", "f16"});
  const Json failed = server.wait_for(
      server.submit({{"prompt", "x"}, {"width", 2048}, {"height", 2048}, {"steps", 1}}), kOver);
  EXPECT_EQ(failed["state"], "failed") << failed.dump();
  EXPECT_EQ(failed["error"]["code"], "memory") << failed.dump();
  EXPECT_THAT(failed["error"]["message"].get<std::string>(),
              testing::AllOf(HasSubstr(" GB of memory"), HasSubstr("(--max-ram) is 629.1 MB"),
                             HasSubstr("would fit")));
  const Json small = server.wait_for(server.submit({{"prompt", "x"}, {"steps", 1}}), kOver);
  EXPECT_EQ(small["state"], "completed") << small.dump();
}

TEST(Jobs, OptionsTokensAndPlanComeFromTheTableAndTheModel) {
  const ServerProgram server("lists");
  const Json options = server.client().get("/api/v1/options").json();
  EXPECT_GT(options["fields"].size(), 10u);
  EXPECT_GT(options["samplers"].size(), 10u);
  const Json tokens = server.client().post("/api/v1/tokens", {{"prompt", "a red apple"}}).json();
  EXPECT_EQ(tokens["used"], 5);
  EXPECT_EQ(tokens["pieces"].size(), 3u);
  const Json plan = server.client().post("/api/v1/plan", {{"prompt", "a"}}).json();
  EXPECT_GT(plan["peak"].get<double>(), 1e6);
  EXPECT_EQ(server.client().get("/health").json()["status"], "ok");
  EXPECT_THAT(server.client().get("/metrics").body, HasSubstr("mezzo_jobs_queued 0"));
}

}  // namespace
}  // namespace mezzo::test
