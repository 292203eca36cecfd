// What happens when a process dies: the worker, or the server itself.
#include <signal.h>

#include <chrono>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server_program.h"

namespace mezzo::test {
namespace {

using testing::HasSubstr;

TEST(Crash, AJobWhoseWorkerIsKilledIsTriedOnceMore) {
  const ServerProgram server("killed-once");
  const auto id = server.submit({{"prompt", "a lion"}, {"steps", 30}, {"seed", 1}});
  server.wait_for_step(id, 2);
  ::kill(server.worker(), SIGKILL);
  const Json job = server.wait_for(id, kOver);
  EXPECT_EQ(job["state"], "completed") << job.dump();
  ASSERT_EQ(job["warnings"].size(), 1u);
  EXPECT_THAT(job["warnings"][0].get<std::string>(), HasSubstr("out of memory"));
  EXPECT_EQ(job["images"].size(), 1u);
}

TEST(Crash, AJobThatKillsTwoWorkersIsPoisonedAndTheQueueGoesOn) {
  const ServerProgram server("killed-twice");
  const auto bad = server.submit({{"prompt", "a lion"}, {"steps", 1000}});
  const auto next = server.submit({{"prompt", "a cat"}, {"steps", 4}});
  for (std::size_t k = 0; k < 2; ++k) {
    server.wait_for_step(bad, 2);
    ::kill(server.worker(), SIGKILL);
    const auto seen = [&] {
      const Json job = server.job(bad);
      return job["state"] != "running" || job["warnings"].size() > k;
    };
    while (!seen()) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  const Json job = server.wait_for(bad, kOver);
  EXPECT_EQ(job["state"], "poisoned") << job.dump();
  EXPECT_EQ(job["error"]["code"], "worker");
  EXPECT_THAT(job["error"]["message"].get<std::string>(), HasSubstr("tried twice"));
  EXPECT_EQ(server.wait_for(next, kOver)["state"], "completed");
}

TEST(Crash, AWorkerThatDiesWhileItWaitsIsReplaced) {
  const ServerProgram server("killed-idle");
  ::kill(server.worker(), SIGSEGV);
  const auto id = server.submit({{"prompt", "a cat"}, {"steps", 2}});
  const Json job = server.wait_for(id, kOver);
  EXPECT_EQ(job["state"], "completed");
  EXPECT_TRUE(job["warnings"].empty());
}

TEST(Crash, TheQueueSurvivesTheServersDeath) {
  ServerProgram server("restart");
  const auto a = server.submit({{"prompt", "a lion"}, {"steps", 1000}});
  const auto b = server.submit({{"prompt", "a cat"}, {"steps", 2}});
  server.wait_for_step(a, 1);
  EXPECT_EQ(server.end(SIGKILL), 128 + SIGKILL);
  server.start();
  EXPECT_EQ(server.wait_for(a, {"running"})["state"], "running");
  EXPECT_EQ(server.job(b)["position"], 1);
  server.client().send("DELETE", "/api/v1/jobs/" + a, "", {});
  EXPECT_EQ(server.wait_for(b, kOver)["state"], "completed");
}

TEST(Crash, AJobOfSeveralPicturesBeginsAgainWithoutThem) {
  ServerProgram server("halfway");
  constexpr std::size_t kCount = 12;  // several batches: not all are done when the first is seen
  const auto id = server.submit({{"prompt", "a cat"}, {"steps", 20}, {"count", kCount}});
  while (server.job(id)["images"].empty())
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(server.end(SIGKILL), 128 + SIGKILL);
  server.start();
  const Json job = server.wait_for(id, kOver);
  EXPECT_EQ(job["state"], "completed");
  EXPECT_EQ(job["images"].size(), kCount) << job["images"].dump();
  // No picture is lost.
  EXPECT_GE(server.client().get("/api/v1/images").json()["total"], kCount + 1);
}

TEST(Crash, SigtermLetsTheRunningJobFinishAndKeepsTheRest) {
  ServerProgram server("drain");
  const auto a = server.submit({{"prompt", "a lion"}, {"steps", 20}});
  const auto b = server.submit({{"prompt", "a cat"}, {"steps", 2}});
  server.wait_for_step(a, 1);
  EXPECT_EQ(server.end(SIGTERM), 0);
  server.start();
  EXPECT_EQ(server.job(a)["state"], "completed");
  EXPECT_EQ(server.wait_for(b, kOver)["state"], "completed");
}

}  // namespace
}  // namespace mezzo::test
