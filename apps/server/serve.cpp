#include "server/serve.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <thread>

#include <fmt/format.h>

#include "mezzotint/files.h"
#include "server/answers.h"
#include "server/api.h"
#include "server/http_server.h"
#include "server/security.h"

namespace mezzo::server {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
constexpr std::size_t kShortestToken = 8;

void check(const ServeOptions& options) {
  if (options.port < 0 || options.port > 65535)
    throw UsageError(fmt::format("port: {} is not from 0 to 65535", options.port));
  if (options.token.empty()) {
    if (is_loopback(options.host)) return;
    throw UsageError(
        fmt::format("host: {} lets other machines in, which needs a token: add --token SECRET (or "
                    "MEZZO_TOKEN)",
                    options.host));
  }
  const bool fine = std::all_of(options.token.begin(), options.token.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
  });
  if (!fine || options.token.size() < kShortestToken)
    throw UsageError(
        fmt::format("token: give {} or more letters, digits, '-', '_' or '.'", kShortestToken));
}

/// Two servers on one folder would both run the same queue.
class FolderLock {
 public:
  explicit FolderLock(const fs::path& folder) {
    std::error_code error;
    fs::create_directories(folder, error);
    const fs::path file = folder / ".mezzotint.lock";
    fd_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd_ < 0)
      throw DeviceError(
          fmt::format("outputs: {} cannot be written to; choose another folder with "
                      "--outputs-dir",
                      folder.string()));
    if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
      ::close(fd_);
      throw DeviceError(
          fmt::format("outputs: another mezzo serve uses {}; choose another folder "
                      "with --outputs-dir",
                      folder.string()));
    }
  }
  ~FolderLock() { ::close(fd_); }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int fd_ = -1;
};

Json worker_settings(const ServeOptions& o, const char* name) {
  return {{"name", name},
          {"precision", o.engine.precision},
          {"weights", o.engine.weights},
          {"threads", o.engine.threads},
          {"max_ram", o.engine.max_ram},
          {"memory", o.engine.memory},
          {"prompt_cache", o.engine.prompt_cache},
          {"clip_l", o.engine.clip_l},
          {"clip_g", o.engine.clip_g},
          {"t5", o.engine.t5},
          {"no_t5", o.engine.no_t5},
          {"folders", o.folders}};
}

SecurityOptions security_options(const ServeOptions& options) {
  SecurityOptions security{.token = options.token, .names = options.names};
  std::array<char, 256> name{};
  if (!is_loopback(options.host) && ::gethostname(name.data(), name.size() - 1) == 0)
    security.names.emplace_back(name.data());
  for (std::string& n : security.names) n = ascii_lower(n);
  return security;
}

/// Waits for the end, with the trash emptied once a day; then lets the running job finish.
void wait(const ServeOptions& options, std::stop_token stop, Context& context) {
  auto emptied = std::chrono::steady_clock::time_point{};
  while (!stop.stop_requested()) {
    if (std::chrono::steady_clock::now() - emptied > 24h) {
      try {
        context.gallery.empty_trash();
      } catch (const std::exception& e) {  // a locked index, a full disk: tomorrow again
        std::fputs(fmt::format("mezzo: the trash is not emptied: {}\n", e.what()).c_str(), stderr);
      }
      emptied = std::chrono::steady_clock::now();
    }
    std::this_thread::sleep_for(50ms);
  }
  context.queue.drain();
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(options.drain_seconds);
  while (!context.drawer.idle() && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(20ms);
  std::this_thread::sleep_for(100ms);  // the last answers go out
}

/// Reads pictures of the gallery by asking what they are: a worker, or this process itself.
template <class Ask>
Gallery::Reader reader_of(Ask ask) {
  return [ask](const fs::path& file) {
    Drawn drawn{.png = read_file(file), .head = Json::object()};
    const Json name = file.filename().string();
    drawn.head = ask({{"what", "picture"}, {"name", name}}, drawn.png);
    const Json recipe = ask({{"what", "recipe"}, {"name", name}}, drawn.png);
    Json request = recipe.at("request");
    request["model"] = recipe.at("model");
    drawn.head["recipe"] = dump(request);
    drawn.head["infotext"] = recipe.at("infotext");
    return drawn;
  };
}

/// After a server that was killed; says what it did.
void recover(Gallery& gallery, Questions& questions) {
  const Gallery::Rebuilt done =
      gallery.recover(reader_of([&](const Json& question, const std::string& picture) -> Json {
        return questions.ask(question, picture).head.at("result");
      }));
  std::string told;
  if (done.added > 0)
    told = fmt::format("mezzo: pictures of a server that was killed, added to the gallery: {}\n",
                       done.added);
  for (const std::string& text : done.skipped) told += fmt::format("mezzo: skipped: {}\n", text);
  std::fputs(told.c_str(), stderr);
}

}  // namespace

int serve(const ServeOptions& options, std::stop_token stop) {
  check(options);
  const auto port = static_cast<unsigned short>(options.port);
  HttpServer::check_address(options.host, port);  // before a folder is made
  // An answer does not interrupt a thread that draws, for which all the others would wait: it comes
  // some milliseconds later.
  const sched_param usual = {};
  if (::sched_getscheduler(0) == SCHED_OTHER) ::sched_setscheduler(0, SCHED_BATCH, &usual);
  const fs::path outputs = fs::absolute(options.outputs);
  const FolderLock lock(outputs);
  Database db(outputs / "mezzotint.sqlite");
  Events events;
  Gallery gallery(db, outputs);
  Questions questions(worker_settings(options, "mezzo-ask"));
  recover(gallery, questions);
  Queue queue(JobStore(db), events);
  Drawer drawer(queue, gallery, worker_settings(options, "mezzo-draw"));
  Catalogue catalogue(questions);
  Context context{queue, events, gallery, drawer, questions, catalogue, options.folders};

  Router router;
  add_job_routes(router, context);
  add_image_routes(router, context);
  add_model_routes(router, context);
  add_health_routes(router, context);
  add_sdapi_routes(router, context);
  add_openai_routes(router, context);
  add_openapi_route(router);
  add_page(router);
  const Security security(security_options(options));
  HttpServer http({.host = options.host,
                   .port = port,
                   .refuse = [&](const Request& r) { return security.refuse(r); },
                   .handle = [&](Request r) { return router(std::move(r)); },
                   .headers = Security::headers()});
  std::fputs(fmt::format("listening on http://{}:{}\n", options.host, http.port()).c_str(), stdout);
  std::fflush(stdout);
  wait(options, stop, context);
  events.close();
  return 0;
}

int rebuild_gallery(const std::string& outputs) {
  const fs::path folder = fs::absolute(outputs);
  const FolderLock lock(folder);
  Database db(folder / "mezzotint.sqlite");
  const Gallery::Rebuilt done =
      Gallery(db, folder)
          .rebuild(reader_of([](const Json& question, const std::string& picture) -> Json {
            return answer_question({}, {.head = question, .body = picture}).result;
          }));
  for (const std::string& text : done.skipped)
    std::fputs(fmt::format("mezzo: skipped: {}\n", text).c_str(), stderr);
  std::fputs(fmt::format("{} pictures in {}: {} added to the index, {} that are gone removed\n",
                         done.pictures, folder.string(), done.added, done.removed)
                 .c_str(),
             stdout);
  return 0;
}

}  // namespace mezzo::server
