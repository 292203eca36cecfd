// The parts of the server that need no process: base64, queries, forms, the ring of events.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/events.h"
#include "server/http.h"
#include "server/job.h"
#include "server/multipart.h"
#include "server/queue.h"
#include "server/sandbox.h"
#include "server/security.h"

namespace mezzo::server {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string new_folder(const std::string& name) {
  const std::string folder = testing::TempDir() + name;
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  return folder;
}

TEST(Base64, IsRfc4648) {
  for (const auto& [text, code] : std::vector<std::pair<std::string, std::string>>{
           {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}}) {
    EXPECT_EQ(base64(text), code);
    EXPECT_EQ(base64_decoded(code, "x"), text);
  }
  EXPECT_EQ(base64_decoded("data:image/png;base64,Zm9v", "x"), "foo");
  for (const char* bad : {"Zg=*", "Z", "data:image/png,Zm9v", "http://a/b"})
    EXPECT_THROW(base64_decoded(bad, "x"), ApiError) << bad;
}

TEST(Query, IsDecoded) {
  const auto query = parse_query("a=1+2&b=%C3%A4&c&=&d=x%3Dy");
  EXPECT_EQ(query.at("a"), "1 2");
  EXPECT_EQ(query.at("b"), "\xC3\xA4");
  EXPECT_EQ(query.at("c"), "");
  EXPECT_EQ(query.at("d"), "x=y");
  for (const char* bad : {"a=%", "a=%4", "a=%zz"}) EXPECT_THROW(parse_query(bad), ApiError);
}

TEST(Multipart, ReadsPartsAndRefusesHalves) {
  const std::string type = "multipart/form-data; boundary=\"b\"";
  const std::string form =
      "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n--b\r\nContent-Disposition: "
      "form-data; name=\"image[]\"; filename=\"p\"\r\n\r\n\r\n--\r\n--b--\r\n";
  const auto parts = parse_multipart(type, form);
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0].bytes, "x");
  EXPECT_EQ(parts[1].name, "image[]");
  EXPECT_EQ(parts[1].bytes, "\r\n--");
  for (std::size_t n = 0; n + 4 < form.size(); ++n)
    EXPECT_THROW(parse_multipart(type, form.substr(0, n)), ApiError) << n;
}

TEST(Events, KeepsTheLastThousandForThoseWhoComeBack) {
  Events events;
  const auto all = events.subscribe("", std::nullopt);
  for (int k = 0; k < 1100; ++k) events.publish("job", k % 2, std::to_string(k));
  events.publish("preview", 0, "p", false);
  const std::string text = all->take().first;
  const auto id_of = [&](int k) {
    const auto at = text.find("data: " + std::to_string(k) + "\n");
    const auto begin = text.rfind("id: ", at) + 4;
    return text.substr(begin, text.find('\n', begin) - begin);
  };
  EXPECT_THAT(text, HasSubstr("event: preview"));
  const std::string late = events.subscribe(id_of(1097), std::nullopt)->take().first;
  EXPECT_THAT(late, HasSubstr("data: 1098\n"));
  EXPECT_THAT(late, HasSubstr("data: 1099\n"));
  EXPECT_THAT(late, Not(HasSubstr("data: 1097\n")));
  EXPECT_THAT(late, Not(HasSubstr("preview")));
  const std::string one = events.subscribe(id_of(1097), 1)->take().first;
  EXPECT_THAT(one, Not(HasSubstr("data: 1098\n")));
  EXPECT_THAT(events.subscribe(id_of(3), std::nullopt)->take().first, HasSubstr("event: reset"));
}

TEST(Events, OfLargeRequestsAreFewer) {
  Events events;
  const auto first_id = [](const std::string& text) {
    const auto begin = text.find("id: ") + 4;
    return text.substr(begin, text.find('\n', begin) - begin);
  };
  const auto stream = events.subscribe("", std::nullopt);
  events.publish("job", 1, "1");
  const std::string id = first_id(stream->take().first);
  const std::string large(1u << 20, 'x');
  for (int k = 0; k < 10; ++k) events.publish("job", 1, large);
  EXPECT_THAT(events.subscribe(id, std::nullopt)->take().first, Not(HasSubstr("event: reset")));
  for (int k = 0; k < 10; ++k) events.publish("job", 1, large);
  EXPECT_THAT(events.subscribe(id, std::nullopt)->take().first, HasSubstr("event: reset"));
}

/// A queue whose only job runs.
struct RunningJob {
  explicit RunningJob(const std::string& folder) : db(new_folder(folder) + "/queue.db") {
    Job job;
    job.kind = "text";
    queue.submit(job);
    id = queue.next({}).value().id;
  }
  Database db;
  Events events;
  Queue queue{JobStore(db), events};
  std::int64_t id = 0;
};

TEST(Queue, TellsAWarningOnce) {
  RunningJob job("mezzo_queue_warnings");
  for (const char* text : {"cut", "large", "cut"}) job.queue.warned(job.id, text);
  EXPECT_EQ(job.queue.get(job.id)["warnings"], Json({"cut", "large"}));
}

TEST(Queue, ShowsTwoPreviewsASecondAndKeepsTheLast) {
  RunningJob job("mezzo_queue_previews");
  const auto stream = job.events.subscribe("", std::nullopt);
  for (const char* png : {"first", "second", "third"}) job.queue.previewed(job.id, png);
  const std::string text = stream->take().first;
  EXPECT_THAT(text, HasSubstr(base64("first")));
  EXPECT_THAT(text, Not(HasSubstr(base64("second"))));
  EXPECT_EQ(job.queue.running()->last_preview, base64("third"));
}

TEST(Queue, CountsTheKillsOfAJobOverRestarts) {
  Database db(new_folder("mezzo_queue_kills") + "/queue.db");
  Events events;
  constexpr std::int64_t id = 1;
  const auto begin = [&] { return std::make_unique<Queue>(JobStore(db), events); };
  {
    const auto queue = begin();
    Job job;
    job.kind = "text";
    queue->submit(job);
    ASSERT_TRUE(queue->next({}));
  }
  {  // a server that was ended while the job ran: not the job's doing
    const auto queue = begin();
    EXPECT_EQ(queue->get(id)["state"], "queued");
    ASSERT_TRUE(queue->next({}));
    queue->count_kill(id);  // the worker died, and then the server, before it could say why
  }
  {
    const auto queue = begin();
    EXPECT_EQ(queue->get(id)["state"], "queued");
    ASSERT_TRUE(queue->next({}));
    queue->count_kill(id);
  }
  const auto queue = begin();
  EXPECT_EQ(queue->get(id)["state"], "poisoned");
  EXPECT_THAT(queue->get(id)["error"]["message"].get<std::string>(), HasSubstr("tried twice"));
}

TEST(Stream, WakesOnceForWhatWaitsTogether) {
  Stream stream;
  int woken = 0;
  stream.on_news([&] { ++woken; });
  for (const char* piece : {"a", "b", "c"}) stream.push(piece);
  EXPECT_EQ(woken, 1);
  EXPECT_EQ(stream.take().first, "abc");
  stream.push("d");
  EXPECT_EQ(woken, 2);
  stream.close();
  EXPECT_EQ(woken, 3);
  EXPECT_EQ(stream.take(), (std::pair<std::string, bool>("d", true)));
}

TEST(Sandbox, MemoryBeyondTheLimitIsRefusedNotTaken) {
  const pid_t child = ::fork();
  if (child == 0) {
    constexpr std::size_t kLimit = 256u << 20;
    if (!limit_memory(kLimit)) ::_exit(2);
    void* fits = ::malloc(kLimit / 2);
    void* does_not = ::malloc(kLimit * 8);
    ::_exit(fits != nullptr && does_not == nullptr ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the sanitizer's own memory is beyond any limit";
#endif
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST(JobName, IsReadBackAndNothingElse) {
  EXPECT_EQ(job_number(job_name(12)), 12);
  for (const char* bad : {"", "j-", "j-0", "j--1", "j-12x", "12", "j-99999999999999999999"})
    EXPECT_FALSE(job_number(bad)) << bad;
}

TEST(Secret, IsComparedWhole) {
  EXPECT_TRUE(same_secret("abc", "abc"));
  for (const char* wrong : {"", "ab", "abcabc", "abd", "abcd"})
    EXPECT_FALSE(same_secret(wrong, "abc")) << wrong;
}

}  // namespace
}  // namespace mezzo::server
