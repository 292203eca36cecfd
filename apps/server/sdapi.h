// What the files of /sdapi/v1 share: options, the form of errors, the routes of each.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "server/context.h"
#include "server/router.h"

namespace mezzo::server {

/// The options that clients set; unknown ones are kept for them to read again.
class SdapiOptions {
 public:
  std::string text(const std::string& key) const;
  Json all() const;
  void set(const Json& some);

 private:
  mutable std::mutex mutex_;
  Json set_ = Json::object();
};

/// An error as A1111's clients read it.
Response sdapi_refusal(const ApiError& error);

void add_sdapi_pictures(Router& router, Context& context);
void add_sdapi_lists(Router& router, Context& context, std::shared_ptr<SdapiOptions> options);

}  // namespace mezzo::server
