// Who may ask what: docs/http_api.md, rule by rule.
#include <cstdlib>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server_program.h"

namespace mezzo::test {
namespace {

using testing::HasSubstr;

class Security : public testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = new ServerProgram("security"); }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }
  static Client client() { return server_->client(); }
  static std::string own(const std::string& host) {
    return host + ":" + std::to_string(server_->port());
  }
  static ServerProgram* server_;
};
ServerProgram* Security::server_ = nullptr;

TEST_F(Security, HostMustNameThisServerExactly) {
  const std::string port = std::to_string(server_->port());
  for (const auto& [host, status] :
       std::vector<std::pair<std::string, int>>{{"127.0.0.1:" + port, 200},
                                                {"localhost:" + port, 200},
                                                {"LOCALHOST:" + port, 200},
                                                {"evil.example:" + port, 403},
                                                {"127.0.0.1.evil.example:" + port, 403},
                                                {"127.0.0.1", 403},
                                                {"127.0.0.1:1", 403},
                                                {"localhost:" + port + "@evil.example", 403}}) {
    SCOPED_TRACE(host);
    EXPECT_EQ(client().get("/health", {{"Host", host}}).status, status);
  }
}

TEST_F(Security, AnotherSitesPageChangesNothing) {
  const Json request = {{"prompt", "a cat"}, {"steps", 1}};
  for (const std::string origin :
       {"http://evil.example", "null", "http://127.0.0.1:1", "file://"}) {
    SCOPED_TRACE(origin);
    EXPECT_EQ(client().post("/api/v1/jobs", request, {{"Origin", origin}}).status, 403);
    EXPECT_EQ(client().send("DELETE", "/api/v1/jobs", "", {{"Origin", origin}}).status, 403);
  }
  EXPECT_EQ(
      client().post("/api/v1/jobs", request, {{"Origin", "http://" + own("127.0.0.1")}}).status,
      202);
}

TEST_F(Security, ChangesMustBeJson) {
  for (const std::string type :
       {"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"}) {
    SCOPED_TRACE(type);
    EXPECT_EQ(
        client().send("POST", "/api/v1/jobs", R"({"prompt":"x"})", {{"Content-Type", type}}).status,
        403);
  }
  EXPECT_EQ(client().send("POST", "/api/v1/jobs", R"({"prompt":"x"})", {}).status, 403);
}

TEST_F(Security, NoOtherOriginIsEverAllowed) {
  const Answer answer = client().get("/api/v1/jobs", {{"Origin", "http://evil.example"}});
  EXPECT_EQ(answer.header("access-control-allow-origin"), "");
  EXPECT_THAT(answer.header("content-security-policy"), HasSubstr("default-src 'self'"));
  EXPECT_EQ(answer.header("x-content-type-options"), "nosniff");
  EXPECT_EQ(client().send("OPTIONS", "/v1/images/generations", "", {}).status, 204);
}

TEST_F(Security, SizesAreLimitedBeforeWork) {
  const std::string host = "Host: " + own("127.0.0.1") + "\r\n";
  const auto status = [&](const std::string& bytes) { return client().raw(bytes).substr(9, 3); };
  EXPECT_EQ(status("GET / HTTP/1.1\r\n" + host + "X: " + std::string(20'000, 'x') + "\r\n\r\n"),
            "431");
  const std::string post = "POST /api/v1/jobs HTTP/1.1\r\n" + host +
                           "Connection: close\r\nContent-Type: application/json\r\n";
  EXPECT_EQ(status(post + "Content-Length: 70000000\r\n\r\n"), "413");
  EXPECT_EQ(
      status(post + "Content-Length: 40\r\n\r\n" + std::string(20, '[') + std::string(20, ']')),
      "400");
  EXPECT_EQ(status("nonsense\r\n\r\n"), "400");
}

TEST_F(Security, NothingOutsideIsRead) {
  for (const std::string target : {"/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd",
                                   "/api/v1/images/..%2f..%2fetc%2fpasswd/file",
                                   "/api/v1/images/-1/file", "/api/v1/images/1e9/file"}) {
    SCOPED_TRACE(target);
    EXPECT_EQ(client().get(target).status, 404);
  }
}

TEST_F(Security, WrongMethodsSayWhichAreRight) {
  const Answer answer = client().send("PUT", "/api/v1/jobs", "", {});
  EXPECT_EQ(answer.status, 405);
  EXPECT_THAT(answer.header("allow"), HasSubstr("POST"));
}

TEST(Names, MayHaveThePortOfAProxy) {
  const ServerProgram server("names", {"--name", "pictures.example.org:443"});
  const Client c = server.client();
  const auto reads = [&](const std::string& host) {
    return c.get("/health", {{"Host", host}}).status;
  };
  EXPECT_EQ(reads("pictures.example.org"), 200);
  EXPECT_EQ(reads("pictures.example.org:443"), 200);
  EXPECT_EQ(reads("pictures.example.org:" + std::to_string(server.port())), 403);
  const auto changes = [&](const std::string& origin) {
    return c
        .send("DELETE", "/api/v1/jobs", "", {{"Host", "pictures.example.org"}, {"Origin", origin}})
        .status;
  };
  EXPECT_EQ(changes("https://pictures.example.org"), 204);
  EXPECT_EQ(changes("http://pictures.example.org"), 403);
  EXPECT_EQ(changes("https://evil.example.org"), 403);
}

TEST(Token, IsNeededForEverythingButHealth) {
  const ServerProgram server("token", {"--token", "a-long-secret"});
  const Client c = server.client();
  EXPECT_EQ(c.get("/health").status, 200);
  EXPECT_EQ(c.get("/").status, 401);
  const Answer asked = c.get("/", {{"Accept", "text/html,*/*;q=0.8"}});
  EXPECT_EQ(asked.status, 401);
  EXPECT_THAT(asked.header("content-type"), HasSubstr("text/html"));
  EXPECT_EQ(asked.header("cache-control"), "no-store");
  EXPECT_EQ(c.get("/?token=a-wrong-secret", {{"Accept", "text/html"}}).status, 401);
  EXPECT_EQ(c.get("/assets/nothing.js").status, 401);
  const auto script = asked.body.find("/assets/");
  ASSERT_NE(script, asked.body.npos);
  const Answer given = c.get(asked.body.substr(script, asked.body.find('"', script) - script));
  EXPECT_EQ(given.status, 200);  // what the form is made of
  EXPECT_EQ(given.header("www-authenticate"), "");
  EXPECT_EQ(c.get("/api/v1/openapi.json").status, 401);
  EXPECT_EQ(c.get("/index.html").status, 401);
  EXPECT_EQ(c.get("/api/v1/jobs").status, 401);
  EXPECT_EQ(c.get("/api/v1/jobs?token=a-long-secret").status, 401);
  EXPECT_EQ(c.get("/api/v1/jobs", {{"Authorization", "Bearer wrong"}}).status, 401);
  EXPECT_EQ(c.get("/api/v1/jobs", {{"Authorization", "Bearer a-long-secret"}}).status, 200);
  EXPECT_EQ(c.get("/sdapi/v1/samplers", {{"Authorization", "Basic eDphLWxvbmctc2VjcmV0"}}).status,
            200);
  const Answer opened = c.get("/?token=a-long-secret");
  EXPECT_EQ(opened.status, 303);
  const std::string cookie = opened.header("set-cookie");
  EXPECT_THAT(cookie, HasSubstr("HttpOnly"));
  EXPECT_THAT(cookie, HasSubstr("SameSite=Strict"));
  EXPECT_EQ(c.get("/", {{"Cookie", cookie.substr(0, cookie.find(';'))}}).status, 200);
}

TEST_F(Security, APortThatIsTakenLeavesNoFolder) {
  const auto folder = server_->outputs() / "second";
  const std::string command = fmt::format("'{}' serve --port {} --outputs-dir '{}' 2>/dev/null",
                                          program_path(), server_->port(), folder.string());
  EXPECT_NE(std::system(command.c_str()), 0);
  EXPECT_FALSE(std::filesystem::exists(folder));
}

TEST(Token, IsNeededToListenForOthers) {
  EXPECT_THROW(ServerProgram("open", {"--host", "0.0.0.0"}), std::runtime_error);
}

}  // namespace
}  // namespace mezzo::test
